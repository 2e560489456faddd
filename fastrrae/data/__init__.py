"""Sources of samples, and the pipeline that makes batches of them."""

from .dataset import Dataset as Dataset
from .dataset import Normalisation as Normalisation
from .dataset import Samples as Samples
from .load import load_dataset as load_dataset
from .pipeline import Share as Share
from .pipeline import ordered_batches as ordered_batches
from .pipeline import training_batches as training_batches
