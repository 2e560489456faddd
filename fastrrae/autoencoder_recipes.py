"""Recipes of the papers on regularised autoencoders, and of VAEs whose priors are trained."""

from dataclasses import replace

from .config import DataConfig, EvaluationConfig, NetworkConfig, ObjectiveConfig, TrainingConfig
from .models import GMMDAE, IRMAE, RAE, FlowVAE, MaskAAE
from .recipe import ON_ACCELERATORS, Recipe
from .run_config import RunConfig

# What the RAE's authors train all their models with (paper, appendix C; weights of their code).
# The rate is halved where the error on the validation split, measured each epoch, does not improve. CIFAR-10 has none:
# there, it is halved where the loss does not.
_RAE_TRAINING = TrainingConfig(epochs=100, batch_size=100, optimiser="adam", learning_rate=1e-3, schedule="plateau")
_RAE_MNIST_TRAINING = replace(_RAE_TRAINING, schedule="validation-plateau", validate_every=500)
_RAE_CELEBA_TRAINING = replace(_RAE_TRAINING, epochs=70, schedule="validation-plateau", validate_every=1628)
# The VAEs' loss there is the squared error summed over pixels (not channels) and a KL term, the mean over samples of
# both. Next to the mean squared error, and with a KL term that is summed over the batch, the weight is divided by both
# counts.
_PIXELS = {"mnist": 32 * 32, "cifar10": 32 * 32, "celeba": 64 * 64}
_BATCH = 100


def _rae_baselines(data: str, rank: int, vae: float, cv_vae: float, wae: float) -> dict[str, dict[str, float]]:
    """Weights of the RAE paper's baselines, from those in its code."""
    pixels = _PIXELS[data]
    return {
        "vae": {"kl": vae / pixels / _BATCH},
        "cv-vae": {"latent_l2": cv_vae * rank / 2 / pixels},  # the KL term is half of the sum of squares
        "wae": {"mmd": wae},
    }


# The IRMAE's authors: learning rate and batch of their table 2; they do not say how many epochs.
_IRMAE_TRAINING = TrainingConfig(epochs=20, batch_size=32, optimiser="adam", learning_rate=1e-4)
_MSE = ObjectiveConfig("mse")
_LORAE = {"lorae": {"nuclear_norm": 1e-3}}
_CONSTANT_VARIANCE = {"cv-vae": {"deviation": 0.7}}
KL = {"kl": 1e-3}

AUTOENCODER_RECIPES = (
    Recipe(
        RunConfig(
            "rae-mnist",
            DataConfig("mnist", pad_to=32, validation_fraction=1 / 6),
            RAE(rank=16),
            NetworkConfig("batch-normalised"),
            ObjectiveConfig("mse", {"latent_l2": 5e-4}),
            _RAE_MNIST_TRAINING,
            evaluation=EvaluationConfig("rae"),
        ),
        about="MNIST from --data FOLDER, for ae, rae, rae-l2, rae-gp, rae-sn, vae, cv-vae or wae (RAE paper, table 1)",
        other_weights={
            "rae-l2": {"latent_l2": 1e-4, "kernel_l2": 1e-7},
            "rae-gp": {"latent_l2": 1e-4, "gradient_penalty": 5e-8},
            "rae-sn": {"latent_l2": 9e-3},
            **_rae_baselines("mnist", 16, vae=0.312, cv_vae=0.039, wae=0.03),
        },
        other_options=_CONSTANT_VARIANCE,
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: FID (Inception) 9.8 of draws from a mixture",
        published=(50_000, (32, 32, 1)),
    ),
    Recipe(
        RunConfig(
            "rae-cifar10",
            DataConfig("records"),
            RAE(rank=128),
            NetworkConfig("batch-normalised"),
            ObjectiveConfig("mse", {"latent_l2": 1e-2}),
            _RAE_TRAINING,
            evaluation=EvaluationConfig("rae"),
        ),
        about="CIFAR-10 that `fastrrae prepare cifar10` has written (RAE paper, table 1)",
        other_weights={
            "rae-l2": {"latent_l2": 1e-3, "kernel_l2": 1e-6},
            "rae-gp": {"latent_l2": 9e-4, "gradient_penalty": 0.0},
            "rae-sn": {"latent_l2": 3e-2},
            **_rae_baselines("cifar10", 128, vae=0.024, cv_vae=9e-4, wae=0.006),
        },
        other_options=_CONSTANT_VARIANCE,
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: FID (Inception) 76.3 of draws from a mixture",
        published=(50_000, (32, 32, 3)),
    ),
    Recipe(
        RunConfig(
            "rae-celeba",
            DataConfig("records"),
            RAE(rank=64),
            # Kernels of 4 as for the other data sets; the paper has 5 here.
            NetworkConfig("batch-normalised", decoder_widths=(1024, 512, 256, 128)),
            ObjectiveConfig("mse", {"latent_l2": 1e-4}),
            _RAE_CELEBA_TRAINING,
            evaluation=EvaluationConfig("rae"),
        ),
        about="CelebA at 64 pixels that `fastrrae prepare celeba --size 64` has written (RAE paper, table 1)",
        other_weights={
            "rae-l2": {"latent_l2": 1e-4, "kernel_l2": 1e-7},
            "rae-gp": {"latent_l2": 1e-4, "gradient_penalty": 1e-7},
            "rae-sn": {"latent_l2": 2.4e-3},
            # The WAE's loss is here 0.05 of the sum of squares, and 100 of the discrepancy.
            **_rae_baselines("celeba", 64, vae=0.09024, cv_vae=0.01, wae=100 / (0.05 * 64 * 64 * 3)),
        },
        other_options=_CONSTANT_VARIANCE,
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: FID (Inception) 44.7 of draws from a mixture",
        published=(162_770, (64, 64, 3)),
    ),
    Recipe(
        RunConfig(
            "gmm-dae-mnist",
            DataConfig("mnist"),
            GMMDAE(rank=10, components=10),
            NetworkConfig("batch-normalised", decoder_widths=(1024, 512, 256, 128)),
            ObjectiveConfig("mse", {"mixture_distance": 5e-4}),  # the authors' code: 2000 times the error, 1 of this
            TrainingConfig(epochs=100, batch_size=100, optimiser="adam", learning_rate=2e-4),
        ),
        about="MNIST from --data FOLDER in ten clusters (GMM-DAE paper, figure 4)",
        other_weights={
            "gm-vae": {"kl": 0.312 / _PIXELS["mnist"] / _BATCH},
            "rae": {"latent_l2": 5e-4},
            **_rae_baselines("mnist", 10, vae=0.312, cv_vae=0.039, wae=0.03),
        },
        other_options=_CONSTANT_VARIANCE,
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: clustering accuracy 85.5 %",
        published=(60_000, (28, 28, 1)),
    ),
    Recipe(
        RunConfig(
            "gmm-dae-mnist-tuned",
            DataConfig("mnist"),
            # Not the paper's: a small network, and a prior that is delayed and then aligned with clusters. A prior
            # that counts from the start ends with clusters about as good as those of k-means on pixels. Distorted
            # images (--distort 1) add a little, and blur.
            GMMDAE(rank=10, components=10, align_after=0.5),
            NetworkConfig("mlp", encoder_widths=(500, 500, 1000), decoder_widths=(1000, 500, 500)),
            ObjectiveConfig("mse", {"mixture_distance": 5e-4}),
            TrainingConfig(epochs=60, batch_size=250, optimiser="adam", learning_rate=1e-3, schedule="cosine"),
        ),
        about="MNIST from --data FOLDER in ten clusters, better optimised: a prior aligned with clusters",
        expected_time="75 s on one core with --train-count 10000",
        expected_figure="with it, clustering accuracy 74 % (k-means 53)",
        published=(60_000, (28, 28, 1)),
    ),
    Recipe(
        RunConfig(
            "irmae-shapes",
            DataConfig("coloured-shapes"),
            IRMAE(rank=32, linear_layers=8),
            # The paper's encoder ends in a convolution to 1 x 1 x 32, and its decoder begins with one from it; here
            # both have a linear layer there.
            NetworkConfig(
                "kernel-4", encoder_widths=(32, 64, 128, 256, 32), decoder_widths=(256, 128, 64, 32), output="tanh"
            ),
            _MSE,
            _IRMAE_TRAINING,
        ),
        about="circles and squares of any colour, generated, eight linear layers (IRMAE paper, supplement)",
        other_weights=_LORAE,
        expected_time="not measured",
        expected_figure="the data has 7 dimensions",
        published=(50_000, (32, 32, 3)),
    ),
    Recipe(
        RunConfig(
            "irmae-mnist",
            DataConfig("mnist", pad_to=32),  # the paper resizes
            IRMAE(rank=128, linear_layers=8),
            NetworkConfig("kernel-4", (32, 64, 128, 256), (128, 64, 32), output="tanh"),
            _MSE,
            _IRMAE_TRAINING,
        ),
        about="MNIST from --data FOLDER, eight linear layers (IRMAE paper, supplement)",
        other_weights=_LORAE,
        expected_time="not measured",
        expected_figure="paper: rank 8 of 128 found",
        published=(60_000, (32, 32, 1)),
    ),
    Recipe(
        RunConfig(
            "irmae-celeba",
            DataConfig("records"),
            IRMAE(rank=512, linear_layers=4),
            # The paper prints 516 channels in the second layer.
            NetworkConfig("kernel-4", (128, 256, 512, 1024), (1024, 512, 256, 128), output="tanh"),
            _MSE,
            _IRMAE_TRAINING,
        ),
        about="CelebA that `fastrrae prepare celeba --size 64 --crop 148` has written (IRMAE paper, table 6)",
        other_weights=_LORAE,
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: FID (Inception) 42.0",
        published=(162_770, (64, 64, 3)),
    ),
    Recipe(
        RunConfig(
            "mask-aae-mnist",
            DataConfig("mnist"),
            # The authors' networks, critic, rates and batches. Their loss of encoder and decoder is the cross-entropy
            # averaged over the 784 values, plus 100 times the spread; here it is summed over them.
            MaskAAE(
                rank=64,
                critic_widths=(1024, 1024, 1024, 1024),
                critic_learning_rate=1e-4,
                mask_learning_rate=5e-4,
                mask_reconstruction_weight=1000 / 784,
                mask_interval=28_800,
            ),
            NetworkConfig("mlp", encoder_widths=(1024,) * 4, decoder_widths=(1024,) * 4),
            ObjectiveConfig("cross-entropy", {"spread": 100.0 * 784}),
            TrainingConfig(steps=500_000, batch_size=64, optimiser="adam", learning_rate=5e-4),
        ),
        about="MNIST from --data FOLDER, 64 coordinates of which a mask keeps some (MaskAAE's code)",
        other_weights={"aae": {"wasserstein": 1.0}},
        expected_time=ON_ACCELERATORS,
        expected_figure="paper: 13 of 64 coordinates kept",
        published=(60_000, (28, 28, 1)),
    ),
    Recipe(
        RunConfig(
            "learned-priors-mnist",
            DataConfig("mnist"),
            FlowVAE(rank=16),
            NetworkConfig("mlp", encoder_widths=(500, 500), decoder_widths=(500, 500)),
            ObjectiveConfig(weights=KL),
            TrainingConfig(steps=4000, batch_size=128, optimiser="adam", learning_rate=1e-3, schedule="cosine"),
            evaluation=EvaluationConfig("all-densities"),
        ),
        about="MNIST from --data FOLDER, for VAEs with priors that are trained: flow-vae, vamp-vae, gm-vae, iop-vae",
        other_weights={"vae": KL, "vrrae": KL},
        expected_time="1 to 2 minutes on one CPU core",
        expected_figure="test error 36 % (flow-vae, seed 0)",
        published=(60_000, (28, 28, 1)),
    ),
)
