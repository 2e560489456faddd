"""Metrics of samples and latent spaces: functions of arrays, each with its definition and source."""

from .clustering import cluster_by_k_means as cluster_by_k_means
from .clustering import clustering_accuracy as clustering_accuracy
from .frechet import Moments as Moments
from .frechet import frechet_distance as frechet_distance
from .frechet import moments as moments
from .kernel_distance import KernelDistance as KernelDistance
from .kernel_distance import kernel_distance as kernel_distance
from .latent_space import active_units as active_units
from .latent_space import correlation as correlation
from .latent_space import effective_rank as effective_rank
from .latent_space import kl_per_dimension as kl_per_dimension
from .latent_space import numerical_rank as numerical_rank
from .neighbours import nearest as nearest
from .precision_recall import PrecisionRecall as PrecisionRecall
from .precision_recall import precision_recall as precision_recall
