"""Recipes for strings of a grammar: arithmetic expressions, molecules, and the user's own."""

from dataclasses import replace

from .config import DataConfig, NetworkConfig, ObjectiveConfig, TrainingConfig
from .models import VRRAE
from .recipe import ON_ACCELERATORS, Recipe
from .run_config import RunConfig

# Next to a loss in nats per string; the KL terms averaged over the batch, as the grammar VAE's authors do.
_OF_STRINGS = {
    "vae": {"kl": 1e-3},
    "info-vae": {"kl": 1e-3, "mmd": 10.0},
    "cv-vae": {"latent_l2": 1e-2},
    "wae": {"mmd": 10.0},
    "rae": {"latent_l2": 1e-2},
    "rae-l2": {"latent_l2": 1e-2, "kernel_l2": 1e-6},
    "rae-gp": {"latent_l2": 1e-2, "gradient_penalty": 1e-6},
    "rae-sn": {"latent_l2": 1e-2},
    "lorae": {"nuclear_norm": 1e-3},
    "gmm-dae": {"mixture_distance": 1.0},
}

_MODEL = VRRAE(rank=25, latent_size=40, kl_reduction="mean")
_NETWORK = NetworkConfig("mlp", encoder_widths=(512, 512), decoder_widths=(512, 512))
_OBJECTIVE = ObjectiveConfig("rules", {"kl": 1e-3})
_TRAINING = TrainingConfig(epochs=8, batch_size=128, optimiser="adam", learning_rate=1e-3, schedule="cosine")

STRING_RECIPES = (
    Recipe(
        RunConfig(
            "expressions",
            DataConfig("expressions"),
            _MODEL,
            _NETWORK,
            _OBJECTIVE,
            _TRAINING,
        ),
        about="arithmetic expressions, always valid (grammar VAE, RAE and GMM-DAE papers); for `fastrrae optimise`",
        other_weights=_OF_STRINGS,
        expected_time="2 min of processor time",
        expected_figure="97.9 % of held-out expressions come back exactly, all draws valid",
    ),
    Recipe(
        RunConfig(
            "molecules",
            DataConfig("molecules", test_fraction=0.02),
            replace(_MODEL, rank=56, latent_size=80),
            NetworkConfig("grammar", encoder_widths=(9, 9, 10), decoder_widths=(501, 501, 501)),
            _OBJECTIVE,
            replace(_TRAINING, epochs=100, batch_size=500),
        ),
        about="molecules from --data FILE of SMILES strings, as ZINC250k (grammar VAE, RAE and GMM-DAE papers)",
        other_weights=_OF_STRINGS,
        expected_time=ON_ACCELERATORS,
        expected_figure="not measured",
    ),
    Recipe(
        RunConfig(
            "strings",
            DataConfig("strings"),
            _MODEL,
            _NETWORK,
            _OBJECTIVE,
            replace(_TRAINING, epochs=10),
        ),
        about="your own strings of a grammar: --data FILE with one string per line, --grammar FILE of rules",
        other_weights=_OF_STRINGS,
        expected_time="depends on the data",
        expected_figure="depends on the data",
    ),
)
