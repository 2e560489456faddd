"""Models: an encoder, a bottleneck and a decoder."""

from .autoencoder import Autoencoder as Autoencoder
from .autoencoder import Output as Output
from .bottlenecks import BasisNotFitted as BasisNotFitted
from .bottlenecks import Gaussian as Gaussian
from .bottlenecks import Identity as Identity
from .bottlenecks import Latent as Latent
from .bottlenecks import RankReduction as RankReduction
from .bottlenecks import VariationalRankReduction as VariationalRankReduction
from .convolutional import ConvolutionalDecoder as ConvolutionalDecoder
from .convolutional import ConvolutionalEncoder as ConvolutionalEncoder
from .mlp import MLPDecoder as MLPDecoder
from .mlp import MLPEncoder as MLPEncoder
