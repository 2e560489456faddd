"""The convolutional VRRAE and its training step as one would write them in PyTorch: a peer of `train_step.py`.

Channels last, Adam, and `torch.linalg.svd`, whose derivative is that of the whole SVD. On a GPU it computes there, and
multiplies in TF32, as JAX does by default.
"""

import importlib.util
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
from svd_peers import torch_device

from fastrrae.models import Autoencoder
from fastrrae.networks import ConvolutionalDecoder, ConvolutionalEncoder


def is_installed() -> bool:
    """Whether there is a PyTorch to compare with: `pip install fastrrae[bench]`."""
    return importlib.util.find_spec("torch") is not None


def can_compile() -> bool:
    """Whether `torch.compile` finds what it needs, a C++ compiler."""
    return shutil.which("g++") is not None or shutil.which("clang++") is not None


class TorchTwin:
    """A copy of a convolutional VRRAE of two spatial dimensions, with the same weights, as functions of tensors."""

    def __init__(self, model: Autoencoder, kl_weight: float):
        encoder, decoder, bottleneck = model.encoder, model.decoder, model.bottleneck
        assert isinstance(encoder, ConvolutionalEncoder)
        assert isinstance(decoder, ConvolutionalDecoder)
        self.rank, self.kl_weight = bottleneck.rank, kl_weight
        self.start_shape = decoder.start_shape
        self.down = [_weights(layer, (3, 2, 0, 1)) for layer in encoder.convolutions]
        self.up = [_weights(layer, (2, 3, 0, 1)) for layer in decoder.upsampling]
        self.output = _weights(decoder.output, (3, 2, 0, 1))
        self.to_latent, self.from_latent = _weights(encoder.project, (1, 0)), _weights(decoder.project, (1, 0))
        self.logvar = _weights(bottleneck.posterior.logvar_head, (1, 0))  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def parameters(self) -> list[Any]:
        """All weights and biases."""
        pairs = [*self.down, *self.up, self.output, self.to_latent, self.from_latent, self.logvar]
        return [tensor for pair in pairs for tensor in pair]

    def loss(self, x: Any) -> Any:
        """The relative error in per cent plus the weighted KL term, of a batch (batch, channels, height, width)."""
        import torch  # pyright: ignore[reportMissingImports]
        import torch.nn.functional as f  # pyright: ignore[reportMissingImports]

        y = x
        for weight, bias in self.down:
            y = f.relu(f.conv2d(y, weight, bias, stride=2, padding=1))
        z = f.linear(y.permute(0, 2, 3, 1).reshape(len(y), -1), *self.to_latent)
        u, s, vt = torch.linalg.svd(z, full_matrices=False)
        mean = u[:, : self.rank] * s[: self.rank]
        logvar = -f.softplus(-f.linear(mean, *self.logvar))
        drawn = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
        y = f.linear(drawn @ vt[: self.rank], *self.from_latent).reshape(len(x), *self.start_shape)
        y = y.permute(0, 3, 1, 2)
        for weight, bias in self.up:
            y = f.relu(f.conv_transpose2d(y, weight, bias, stride=2, padding=1, output_padding=1))
        y = f.conv2d(y, *self.output)
        kl = 0.5 * (mean**2 + torch.exp(logvar) - 1 - logvar).sum()
        return 100 * torch.linalg.vector_norm(y - x) / torch.linalg.vector_norm(x) + self.kl_weight * kl


def torch_step(twin: TorchTwin, x: np.ndarray, *, compiled: bool = False) -> Callable[[], Any]:
    """A call that takes one step of Adam on the batch `x` (batch, height, width, channels)."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    batch = as_tensor(x)
    optimiser = torch.optim.Adam(twin.parameters, lr=1e-3, fused=True)
    loss_of = torch.compile(twin.loss) if compiled else twin.loss

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss_of(batch).backward()
        optimiser.step()
        if batch.is_cuda:
            torch.cuda.synchronize()

    return step


def as_tensor(x: np.ndarray) -> Any:
    """A batch (batch, height, width, channels) as PyTorch wants it: channels second, and last in memory."""
    import torch  # pyright: ignore[reportMissingImports]

    return torch.from_numpy(np.array(x)).to(torch_device()).permute(0, 3, 1, 2)


def _weights(layer: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Kernel and bias as tensors that are trained, the kernel's axes in PyTorch's order."""
    import torch  # pyright: ignore[reportMissingImports]

    kernel = torch.from_numpy(np.transpose(np.array(layer.kernel[...]), axes).copy()).to(torch_device())
    if len(axes) == 4:
        kernel = kernel.to(memory_format=torch.channels_last)
    return kernel.requires_grad_(), torch.from_numpy(np.array(layer.bias[...])).to(torch_device()).requires_grad_()
