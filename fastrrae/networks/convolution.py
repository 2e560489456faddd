"""Convolution and transposed convolution as arithmetic, and which platform computes them how.

Accelerators get XLA's own convolutions. On a TPU they lay the batch along the lanes, so that few channels waste none:
sub-pixel and space-to-depth forms take more cycles there, for their rearrangements (docs/how-to/tpu-pods.md). The
kernel gradient of a transposed convolution is written as that of the convolution whose adjoint it is. As JAX derives
it, with zeros inserted into the input and a kernel as large as an image, cuDNN has no routine for it: a training step
at CelebA's shapes took 34 times as long (github.com/jax-ml/jax/issues/31662). A TPU computes both alike.

XLA's CPU backend is slow at most forms: inputs with zeros inserted (transposed convolutions, and input gradients of
strided ones), whose zeros it multiplies, kernels as large as an image (kernel gradients), and strides. There,
everything is made of two rearrangements and one matrix product per result:

    gather(x)   (batch, *space_out, kernel_size * channels): the patch under the kernel, for every output sample
    scatter(p)  its adjoint: sums pieces at the places they were gathered from

    convolution             y = gather(x) @ kernel         dx = scatter(dy @ kernel^T)    dkernel = gather(x)^T @ dy
    transposed convolution  y = scatter(x @ kernel^T)      dx = gather(dy) @ kernel       dkernel = x^T @ gather(dy)
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, export, lax

from fastrrae_kernels.matrices import product_over_rows

# Gathered values take up to nine times the memory of an image; batches whose would be larger go in slices.
SLICE_BYTES = 256 * 2**20


class KernelGeometry(NamedTuple):
    """The geometry of a convolution from the `large` space to the `small` one (an encoder's direction)."""

    sizes: tuple[int, ...]  # taps along each spatial dimension
    stride: int
    padding: int  # zeros before the first sample, and at least as many after the last as the taps reach


def convolution(x: Array, kernel: Array, *, stride: int = 1, padding: int = 0) -> Array:
    """Cross-correlation, channels last, in any number of spatial dimensions: PyTorch's `Conv`.

    Args:
        x: (batch, *space, channels_in).
        kernel: (*kernel_size, channels_in, channels_out).
        stride: output sample i sees input samples `stride * i - padding + tap`.
        padding: zeros on each side.

    Returns:
        (batch, *space_out, channels_out), space_out = (space + 2 * padding - kernel_size) // stride + 1.
    """
    geometry = KernelGeometry(kernel.shape[:-2], stride, padding)
    return lax.platform_dependent(
        x, kernel, cpu=partial(_gathered_convolution, geometry), default=partial(_xla_convolution, geometry)
    )


def transposed_convolution(x: Array, kernel: Array, *, stride: int, padding: int, output_padding: int) -> Array:
    """The adjoint of `convolution` as a map of its input: PyTorch's `ConvTranspose`.

    Args:
        x: (batch, *space, channels_in).
        kernel: (*kernel_size, channels_in, channels_out).
        stride: input sample i reaches output samples `stride * i - padding + tap`.
        padding: how many output samples are cut from each side.
        output_padding: how many output samples are added back at the end.

    Returns:
        (batch, *space_out, channels_out), space_out = (space - 1) * stride - 2 * padding + kernel_size +
        output_padding.
    """
    geometry = KernelGeometry(kernel.shape[:-2], stride, padding)
    output_space = tuple(
        (d - 1) * stride - 2 * padding + k + output_padding for d, k in zip(x.shape[1:-1], geometry.sizes, strict=True)
    )
    return lax.platform_dependent(
        x,
        kernel,
        cpu=partial(_scattered_convolution, geometry, output_space),
        default=partial(_adjoint_convolution, geometry, output_space),
    )


def _xla_convolution(geometry: KernelGeometry, x: Array, kernel: Array) -> Array:
    space = len(geometry.sizes)
    padding = [(geometry.padding, geometry.padding)] * space
    return lax.conv_general_dilated(x, kernel, (geometry.stride,) * space, padding, dimension_numbers=_layout(space))


def _xla_transposed_convolution(
    geometry: KernelGeometry, output_space: tuple[int, ...], x: Array, kernel: Array
) -> Array:
    space = len(geometry.sizes)
    before = [k - 1 - geometry.padding for k in geometry.sizes]
    after = [
        big - (d - 1) * geometry.stride - 1 + k - 1 - low
        for big, d, k, low in zip(output_space, x.shape[1:-1], geometry.sizes, before, strict=True)
    ]
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, range(space)),
        window_strides=(1,) * space,
        padding=list(zip(before, after, strict=True)),
        lhs_dilation=(geometry.stride,) * space,
        dimension_numbers=_layout(space),
    )


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _adjoint_convolution(geometry: KernelGeometry, output_space: tuple[int, ...], x: Array, kernel: Array) -> Array:
    return _xla_transposed_convolution(geometry, output_space, x, kernel)


def _adjoint_forward(geometry, output_space, x, kernel):
    return _adjoint_convolution(geometry, output_space, x, kernel), (x, kernel)


def _adjoint_backward(geometry, output_space, saved, dy):
    del output_space
    x, kernel = saved
    swapped = jnp.swapaxes(kernel, -1, -2)
    kernel_gradient = jax.linear_transpose(partial(_xla_convolution, geometry, dy), swapped)
    return _xla_convolution(geometry, dy, swapped), jnp.swapaxes(kernel_gradient(x)[0], -1, -2)


_adjoint_convolution.defvjp(_adjoint_forward, _adjoint_backward)


def _layout(space: int) -> tuple[str, str, str]:
    axes = "HWD"[:space]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gathered_convolution(geometry: KernelGeometry, x: Array, kernel: Array) -> Array:
    if geometry.stride == 1:
        return _xla_convolution(geometry, x, kernel)  # fast on every platform; the strided one is slower than a product
    flat = kernel.reshape(-1, kernel.shape[-1])
    return _map_slices(lambda x: gather(geometry, _reduced(geometry, x), x) @ flat, _gathered_slices(geometry, x), x)


def _gathered_forward(geometry, x, kernel):
    if geometry.stride == 1 or _gathered_slices(geometry, x) > 1:
        return _gathered_convolution(geometry, x, kernel), (x, kernel, None)
    patches = gather(geometry, _reduced(geometry, x), x)
    return patches @ kernel.reshape(-1, kernel.shape[-1]), (x, kernel, patches)


def _gathered_backward(geometry, saved, dy):
    x, kernel, patches = saved
    swapped = jnp.swapaxes(kernel, -1, -2)
    if geometry.stride > 1:
        dx = _scattered_convolution(geometry, x.shape[1:-1], dy, swapped)
    else:  # no zeros to insert: a plain convolution
        dx = _xla_transposed_convolution(geometry, x.shape[1:-1], dy, swapped)
    if patches is not None:
        return dx, _contract(patches, dy).reshape(kernel.shape)
    return dx, _gathered_kernel_gradient(geometry, x, dy, kernel.shape)


def _reduced(geometry: KernelGeometry, x: Array) -> tuple[int, ...]:
    """The spatial sizes after a convolution."""
    return tuple(
        (d + 2 * geometry.padding - k) // geometry.stride + 1
        for d, k in zip(x.shape[1:-1], geometry.sizes, strict=True)
    )


def _gathered_slices(geometry: KernelGeometry, x: Array) -> int:
    small = jax.ShapeDtypeStruct((x.shape[0], *_reduced(geometry, x), x.shape[-1]), x.dtype)
    return _slices(small, math.prod(geometry.sizes) * x.shape[-1])


def _gathered_kernel_gradient(geometry: KernelGeometry, x: Array, dy: Array, shape: tuple[int, ...]) -> Array:
    """`gather(x)^T @ dy`; where the stride allows it, from whichever of `x` and `dy` has fewer channels to gather."""
    if geometry.stride > 1 or x.shape[-1] <= dy.shape[-1] or len(set(geometry.sizes)) > 1:
        return _kernel_gradient(geometry, x, dy, shape)
    mirrored = geometry._replace(padding=geometry.sizes[0] - 1 - geometry.padding)
    swapped = _kernel_gradient(mirrored, dy, x, (*geometry.sizes, dy.shape[-1], x.shape[-1]))
    return jnp.flip(jnp.swapaxes(swapped, -1, -2), range(len(geometry.sizes)))


_gathered_convolution.defvjp(_gathered_forward, _gathered_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _scattered_convolution(geometry: KernelGeometry, output_space: tuple[int, ...], x: Array, kernel: Array) -> Array:
    flat = jnp.moveaxis(kernel, -2, 0).reshape(x.shape[-1], -1)
    return _map_slices(lambda x: scatter(geometry, output_space, x @ flat), _slices(x, flat.shape[-1]), x)


def _scattered_forward(geometry, output_space, x, kernel):
    return _scattered_convolution(geometry, output_space, x, kernel), (x, kernel)


def _scattered_backward(geometry, output_space, saved, dy):
    del output_space
    x, kernel = saved
    swapped = jnp.swapaxes(kernel, -1, -2)
    flat = swapped.reshape(-1, x.shape[-1])

    def both(part: tuple[Array, Array]) -> tuple[Array, Array]:
        x, dy = part
        patches = gather(geometry, x.shape[1:-1], dy)
        return patches @ flat, _contract(patches, x)

    dx, dkernel = _map_slices(both, _slices(x, flat.shape[0]), (x, dy), summed=1)
    return dx, jnp.swapaxes(dkernel.reshape(swapped.shape), -1, -2)


_scattered_convolution.defvjp(_scattered_forward, _scattered_backward)


def _kernel_gradient(geometry: KernelGeometry, large: Array, small: Array, shape: tuple[int, ...]) -> Array:
    """`gather(large)^T @ small`, summed over batch and space, as a kernel of the given shape."""

    def part(pair: tuple[Array, Array]) -> tuple[Array]:
        large, small = pair
        return (_contract(gather(geometry, small.shape[1:-1], large), small),)

    width = math.prod(geometry.sizes) * large.shape[-1]
    return _map_slices(part, _slices(small, width), (large, small), summed=0)[0].reshape(shape)


def _contract(a: Array, b: Array) -> Array:
    """`a^T @ b` over all axes but the last."""
    return product_over_rows(a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]))


def _slices(x: Array | jax.ShapeDtypeStruct, width: int) -> int:
    """Into how many equal parts of the batch to cut, so that (*x.shape[:-1], width) values stay within the limit."""
    if export.is_symbolic_dim(x.shape[0]):
        return 1  # of an exported program: the batch is known, and chosen, by whoever calls it
    needed = -(-math.prod(x.shape[:-1]) * width * x.dtype.itemsize // SLICE_BYTES)
    return next((count for count in range(max(needed, 1), x.shape[0]) if x.shape[0] % count == 0), max(x.shape[0], 1))


def _map_slices(function: Callable[[Any], Any], count: int, batch: Any, *, summed: int | None = None) -> Any:
    """`function` of a batch, or of `count` parts of it one after the other.

    Results are put together along the batch axis; element `summed` of a tuple of results is added up instead.
    """
    if count == 1:
        return function(batch)
    parts = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), batch)

    def step(total: Array, part: Any) -> tuple[Array, Any]:
        out = function(part)
        if summed is None:
            return total, out
        return total + out[summed], (*out[:summed], None, *out[summed + 1 :])

    start = jnp.zeros(())
    if summed is not None:
        shape = jax.eval_shape(function, jax.tree.map(lambda x: x[0], parts))[summed]
        start = jnp.zeros(shape.shape, shape.dtype)
    total, out = lax.scan(step, start, parts)
    joined = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), out)
    return joined if summed is None else (*joined[:summed], total, *joined[summed + 1 :])


def gather(geometry: KernelGeometry, small: tuple[int, ...], x: Array) -> Array:
    """The patch under the kernel for each of `small` samples: (batch, *small, taps * channels)."""
    space, channels = len(geometry.sizes), x.shape[-1]
    reach = [(n - 1) * geometry.stride + k for n, k in zip(small, geometry.sizes, strict=True)]
    after = [r - geometry.padding - d for r, d in zip(reach, x.shape[1:-1], strict=True)]
    padded = lax.pad(
        x, jnp.zeros((), x.dtype), [(0, 0, 0), *((geometry.padding, high, 0) for high in after), (0, 0, 0)]
    )
    strides = (1, *(geometry.stride,) * space, 1)
    taps = itertools.product(*map(range, geometry.sizes))
    parts = []
    for tap in taps:
        ends = [t + (n - 1) * geometry.stride + 1 for t, n in zip(tap, small, strict=True)]
        parts.append(lax.slice(padded, (0, *tap, 0), (x.shape[0], *ends, channels), strides))
    # One pass writes the patches; without the barrier they would be computed twice, inside both products.
    return lax.optimization_barrier(jnp.concatenate(parts, axis=-1))


def scatter(geometry: KernelGeometry, large: tuple[int, ...], pieces: Array) -> Array:
    """The adjoint of `gather`: (batch, *small, taps * channels) summed into (batch, *large, channels).

    Each phase of the output (its samples modulo the stride) is a sum of shifted pieces; phases are then interleaved.
    """
    space = len(geometry.sizes)
    batch, small, stride = pieces.shape[0], pieces.shape[1:-1], geometry.stride
    taps_in_all = pieces.reshape(*pieces.shape[:-1], *geometry.sizes, -1)
    phase_sizes = [-(-d // stride) for d in large]
    channels = taps_in_all.shape[-1]

    def phase(offsets: tuple[int, ...]) -> Array:
        total = jnp.zeros((batch, *phase_sizes, channels), pieces.dtype)
        for taps in itertools.product(*(_taps(geometry, o, k) for o, k in zip(offsets, geometry.sizes, strict=True))):
            piece = taps_in_all[(slice(None),) * (space + 1) + tuple(tap for tap, _ in taps)]
            shifts = [(-s, s + p - d, 0) for (_, s), p, d in zip(taps, phase_sizes, small, strict=True)]
            total += lax.pad(piece, jnp.zeros((), pieces.dtype), [(0, 0, 0), *shifts, (0, 0, 0)])
        return total

    phases = jnp.stack([phase(offsets) for offsets in itertools.product(range(stride), repeat=space)])
    return _interleave(phases, space, stride)[(slice(None), *(slice(size) for size in large))]


def _taps(geometry: KernelGeometry, offset: int, taps: int) -> list[tuple[int, int]]:
    """Taps that reach large samples `stride * q + offset`, each with the shift i - q of the small sample i."""
    reached = [(tap, offset + geometry.padding - tap) for tap in range(taps)]
    return [(tap, distance // geometry.stride) for tap, distance in reached if distance % geometry.stride == 0]


def _interleave(phases: Array, space: int, stride: int) -> Array:
    """(stride ** space, batch, *sizes, channels) -> (batch, *(stride * sizes), channels)."""
    batch, *sizes, channels = phases.shape[1:]
    split = phases.reshape(*(stride,) * space, batch, *sizes, channels)
    order = [space, *(axis for i in range(space) for axis in (space + 1 + i, i)), 2 * space + 1]
    return split.transpose(order).reshape(batch, *(stride * size for size in sizes), channels)
