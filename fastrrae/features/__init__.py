"""Networks whose features compare sets of samples: a classifier of the data's own labels, or Inception-v3."""

from .classifier import Classifier as Classifier
from .extractor import FeatureExtractor as FeatureExtractor
from .load import load_features as load_features
from .train import FeatureTraining as FeatureTraining
from .train import train_features as train_features
