"""Inception-v3 up to its last pooling (Szegedy et al. 2016), named as in PyTorch's weights.

Batch normalisation is folded into the convolutions, since nothing is trained here.
"""

from collections.abc import Iterator
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

Pair = tuple[int, int]
Variant = Literal["torchvision", "fid"]  # whose weights: they were trained with pooling that differs in places

DIMENSIONS = 2048
SIDE = 299  # of the images that it takes


class Unit(nnx.Module):
    """Convolution, folded normalisation, ReLU: (batch, h, w, inputs) -> (batch, h', w', outputs)."""

    def __init__(self, inputs: int, outputs: int, kernel_size: Pair, *, stride: int = 1, padding: Pair = (0, 0)):
        self.kernel = nnx.Param(jnp.zeros((*kernel_size, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))
        self.stride, self.padding = stride, padding

    def __call__(self, x: Array) -> Array:
        y = jax.lax.conv_general_dilated(
            x,
            self.kernel[...],
            (self.stride, self.stride),
            [(pad, pad) for pad in self.padding],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return nnx.relu(y + self.bias[...])


def _square(inputs: int, outputs: int, size: int, *, stride: int = 1, padding: int = 0) -> Unit:
    return Unit(inputs, outputs, (size, size), stride=stride, padding=(padding, padding))


def _row(inputs: int, outputs: int, length: int) -> Unit:
    return Unit(inputs, outputs, (1, length), padding=(0, length // 2))


def _column(inputs: int, outputs: int, length: int) -> Unit:
    return Unit(inputs, outputs, (length, 1), padding=(length // 2, 0))


_BORDER: Any = [(1, 1), (1, 1)]


def _max_pool(x: Array) -> Array:
    return nnx.max_pool(x, (3, 3), (2, 2))


def _pool_in_place(x: Array, variant: Variant) -> Array:
    """The mean of 3 x 3 values; at the border the FID's weights divide by the values that are there."""
    return nnx.avg_pool(x, (3, 3), (1, 1), _BORDER, count_include_pad=variant == "torchvision")


class BlockA(nnx.Module):
    """At 35 x 35."""

    def __init__(self, inputs: int, pooled: int, variant: Variant):
        self.branch1x1 = _square(inputs, 64, 1)
        self.branch5x5_1 = _square(inputs, 48, 1)
        self.branch5x5_2 = _square(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _square(inputs, 64, 1)
        self.branch3x3dbl_2 = _square(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _square(96, 96, 3, padding=1)
        self.branch_pool = _square(inputs, pooled, 1)
        self.variant: Variant = variant

    def __call__(self, x: Array) -> Array:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pooled = self.branch_pool(_pool_in_place(x, self.variant))
        return jnp.concatenate([self.branch1x1(x), five, three, pooled], axis=-1)


class BlockB(nnx.Module):
    """From 35 x 35 to 17 x 17."""

    def __init__(self, inputs: int):
        self.branch3x3 = _square(inputs, 384, 3, stride=2)
        self.branch3x3dbl_1 = _square(inputs, 64, 1)
        self.branch3x3dbl_2 = _square(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _square(96, 96, 3, stride=2)

    def __call__(self, x: Array) -> Array:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return jnp.concatenate([self.branch3x3(x), double, _max_pool(x)], axis=-1)


class BlockC(nnx.Module):
    """At 17 x 17, with kernels of 7 x 7 cut into rows and columns."""

    def __init__(self, inputs: int, between: int, variant: Variant):
        self.branch1x1 = _square(inputs, 192, 1)
        self.branch7x7_1 = _square(inputs, between, 1)
        self.branch7x7_2 = _row(between, between, 7)
        self.branch7x7_3 = _column(between, 192, 7)
        self.branch7x7dbl_1 = _square(inputs, between, 1)
        self.branch7x7dbl_2 = _column(between, between, 7)
        self.branch7x7dbl_3 = _row(between, between, 7)
        self.branch7x7dbl_4 = _column(between, between, 7)
        self.branch7x7dbl_5 = _row(between, 192, 7)
        self.branch_pool = _square(inputs, 192, 1)
        self.variant: Variant = variant

    def __call__(self, x: Array) -> Array:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pooled = self.branch_pool(_pool_in_place(x, self.variant))
        return jnp.concatenate([self.branch1x1(x), seven, double, pooled], axis=-1)


class BlockD(nnx.Module):
    """From 17 x 17 to 8 x 8."""

    def __init__(self, inputs: int):
        self.branch3x3_1 = _square(inputs, 192, 1)
        self.branch3x3_2 = _square(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _square(inputs, 192, 1)
        self.branch7x7x3_2 = _row(192, 192, 7)
        self.branch7x7x3_3 = _column(192, 192, 7)
        self.branch7x7x3_4 = _square(192, 192, 3, stride=2)

    def __call__(self, x: Array) -> Array:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return jnp.concatenate([three, seven, _max_pool(x)], axis=-1)


class BlockE(nnx.Module):
    """At 8 x 8; the last one of the FID's weights pools by the maximum."""

    def __init__(self, inputs: int, variant: Variant, *, last: bool):
        self.branch1x1 = _square(inputs, 320, 1)
        self.branch3x3_1 = _square(inputs, 384, 1)
        self.branch3x3_2a = _row(384, 384, 3)
        self.branch3x3_2b = _column(384, 384, 3)
        self.branch3x3dbl_1 = _square(inputs, 448, 1)
        self.branch3x3dbl_2 = _square(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _row(384, 384, 3)
        self.branch3x3dbl_3b = _column(384, 384, 3)
        self.branch_pool = _square(inputs, 192, 1)
        self.variant: Variant = variant
        self.by_maximum = last and variant == "fid"

    def __call__(self, x: Array) -> Array:
        three, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = nnx.max_pool(x, (3, 3), (1, 1), _BORDER) if self.by_maximum else _pool_in_place(x, self.variant)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return jnp.concatenate(branches, axis=-1)


class InceptionNetwork(nnx.Module):
    """(batch, 299, 299, 3) with values from -1 to 1 -> (batch, 2048)."""

    def __init__(self, variant: Variant):
        self.Conv2d_1a_3x3 = _square(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _square(32, 32, 3)
        self.Conv2d_2b_3x3 = _square(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _square(64, 80, 1)
        self.Conv2d_4a_3x3 = _square(80, 192, 3)
        self.Mixed_5b = BlockA(192, 32, variant)
        self.Mixed_5c = BlockA(256, 64, variant)
        self.Mixed_5d = BlockA(288, 64, variant)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, 128, variant)
        self.Mixed_6c = BlockC(768, 160, variant)
        self.Mixed_6d = BlockC(768, 160, variant)
        self.Mixed_6e = BlockC(768, 192, variant)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, variant, last=False)
        self.Mixed_7c = BlockE(2048, variant, last=True)

    def __call__(self, x: Array) -> Array:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(_max_pool(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(_max_pool(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(axis=(1, 2))

    def features_of_images(self, images: Array) -> Array:
        """Of images (batch, height, width, 1 or 3) with values from -1 to 1, resized bilinearly: (batch, 2048)."""
        colour = jnp.broadcast_to(images, (*images.shape[:-1], 3))
        return self(jax.image.resize(colour, (len(images), SIDE, SIDE, 3), "bilinear", antialias=False))

    def units(self) -> Iterator[tuple[str, Unit]]:
        """All convolutions by their name, "Mixed_5b.branch1x1" and so on."""
        for path, node in nnx.iter_graph(self):
            if isinstance(node, Unit):
                yield ".".join(map(str, path)), node
