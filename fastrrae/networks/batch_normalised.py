"""The networks of the RAE, WAE and GMM-DAE papers (RAE, table C): kernels of 4, and batch normalisation."""

from typing import ClassVar

from flax import nnx
from jax import Array

from .kernel_4 import Kernel4Decoder, Kernel4Encoder


class Normalisation(nnx.Module):
    """Batch normalisation and ReLU. In training mode by the whole (global) batch; at inference by running means."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        # Running means that forget in ten steps (PyTorch's; flax's hundred lag behind short trainings).
        self.norm = nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return nnx.relu(self.norm(x)).astype(x.dtype)  # flax answers bfloat16 in float32


class BatchNormalisedEncoder(Kernel4Encoder):
    """The encoder with kernels of 4, each convolution batch-normalised."""

    after: ClassVar[type] = Normalisation


class BatchNormalisedDecoder(Kernel4Decoder):
    """The decoder with kernels of 4, the linear layer and each transposed convolution batch-normalised."""

    after: ClassVar[type] = Normalisation
