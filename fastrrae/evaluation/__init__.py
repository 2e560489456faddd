"""What a finished run is worth: metrics, pictures, report, and comparison with others."""

from .compare import compare as compare
from .evaluate import choose_features as choose_features
from .evaluate import evaluate as evaluate
from .evaluate import measure as measure
from .generated_samples import fit_density as fit_density
from .protocol import PROTOCOLS as PROTOCOLS
from .protocol import Protocol as Protocol
from .results import Evaluation as Evaluation
from .results import load_evaluation as load_evaluation
from .run_plots import draw_interpolations as draw_interpolations
