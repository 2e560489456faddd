"""Sources of samples, and the pipeline that makes batches of them.

A source (gaussians, pulse, diffusion, digits, mnist, array_files, records, or `Dataset.from_arrays`) gives a `Dataset`
of `Samples`, raw values; `pipeline` makes batches of them; `Normalisation` turns raw values into those that a model
sees.
"""

from .dataset import Dataset as Dataset
from .example_molecules import example_molecules as example_molecules
from .load_dataset import load_dataset as load_dataset
from .normalisation import Normalisation as Normalisation
from .pipeline import Share as Share
from .pipeline import ordered_batches as ordered_batches
from .pipeline import training_batches as training_batches
from .samples import GrainSamples as GrainSamples
from .samples import Samples as Samples
from .strings import dataset_of_strings as dataset_of_strings
