"""Tables of our own: the whole family, the depth of IRMAE, the clusters of GMM-DAE, and dimensions that are known."""

from typing import Any

from ..evaluation.results import Evaluation
from ..evaluation.results_table import Column, of_draws, of_interpolations, of_model
from ..models import MODELS
from .specification import RowSpec, TableSpec
from .vrrae_paper import TEST_COLUMN

EFFECTIVE = "effective rank"
FOUND = "dimension found"
CLUSTERING = "clustering accuracy, %"


def _family() -> TableSpec:
    return TableSpec(
        "family-digits",
        "The whole family on scikit-learn's digits",
        recipe="digits",
        columns=(
            TEST_COLUMN,
            Column("FID, mixture", of_draws(lambda metrics: metrics.fid, "mixture"), 3),
            Column("one Gaussian", of_draws(lambda metrics: metrics.fid, "gaussian"), 3),
            Column("prior", of_draws(lambda metrics: metrics.fid, "prior"), 3),
            Column("second stage", of_draws(lambda metrics: metrics.fid, "second-stage"), 3),
            Column("precision", of_draws(lambda metrics: metrics.precision, "mixture"), 3),
            Column("recall", of_draws(lambda metrics: metrics.recall, "mixture"), 3),
            Column("FID, interpolated", of_interpolations(lambda metrics: metrics.fid), 3),
            Column("active units", lambda evaluation: evaluation.latent.active_units, 1),
            Column("effective rank", lambda evaluation: evaluation.latent.effective_rank, 1),
            Column(CLUSTERING, of_model("clustering_accuracy"), 1),
        ),
        rows=tuple(RowSpec(model, model) for model in MODELS),
        seeds=2,
        evaluated_by="default",
        remarks=(
            "One network, optimiser and number of steps for all; the weights of penalties are the recipe's or the "
            "family's, tried on these digits and not tuned model by model",
            "FID of draws from four densities on each model's coefficients; precision and recall are the mixture's; a "
            "VAE with its second stage is the two-stage VAE",
        ),
    )


def _depth() -> TableSpec:
    ranks = {2: "70", 4: "39", 8: "8", 12: "4"}
    return TableSpec(
        "irmae-depth-digits",
        "IRMAE on scikit-learn's digits: more linear layers, lower rank",
        recipe="digits",
        columns=(
            TEST_COLUMN,
            Column(EFFECTIVE, lambda evaluation: evaluation.latent.effective_rank, 1),
            Column("FID, mixture", of_draws(lambda metrics: metrics.fid, "mixture"), 3),
        ),
        rows=(
            RowSpec("no linear layer", "ae"),
            *(
                RowSpec(f"{count} layers", "irmae", {EFFECTIVE: rank}, options={"linear_layers": count})
                for count, rank in ranks.items()
            ),
        ),
        seeds=2,
        evaluated_by="default",
        remarks=(
            "Published: table 4 of the supplement of the IRMAE paper, non-zero singular values of the covariance of "
            "128 coefficients of MNIST; here 16 coefficients of digits: only the order compares",
        ),
    )


def _clusters() -> TableSpec:
    at_once, distorted = {"align_after": 0.0}, {"distort": 1.0}
    published = {CLUSTERING: "85.53"}
    return TableSpec(
        "gmm-dae-mnist",
        "GMM-DAE paper, figure 4: clusters of MNIST, found in 10,000 images",
        recipe="gmm-dae-mnist-tuned",
        columns=(
            Column(CLUSTERING, of_model("clustering_accuracy"), 1),
            Column("of k-means on pixels", of_model("clustering_accuracy_of_k_means"), 1),
            TEST_COLUMN,
            Column("FID, prior", of_draws(lambda metrics: metrics.fid, "prior"), 3),
            Column("FID, mixture", of_draws(lambda metrics: metrics.fid, "mixture"), 3),
        ),
        rows=(
            RowSpec("as in the paper", "gmm-dae", published, options=at_once),
            RowSpec("aligned prior", "gmm-dae", published),
            RowSpec("distorted images", "gmm-dae", published, options=at_once, training=distorted),
            RowSpec("both", "gmm-dae", published, training=distorted),
        ),
        seeds=3,
        evaluated_by="default",
        samples=2000,
        train_count=10_000,
        remarks=(
            "Clustering accuracy is that of the training images, whose labels training does not see",
            "Differs: 10,000 images, 2400 steps of an MLP, a minute or two each (the paper: 60,000 images, a "
            "convolutional network of full width, to convergence)",
            "Aligned: the prior is delayed for half of the steps, and then aligned with the clusters of the codes",
            "Distorted: images are rotated, sheared, scaled and shifted before they are encoded, and reconstructed as "
            "they were",
        ),
    )


def _found(evaluation: Evaluation) -> float | None:
    """What a model says that it has found, or the numerical rank of its coefficients."""
    return evaluation.of_model.get("rank_found", evaluation.latent.numerical_rank)


def _dimensions() -> TableSpec:
    adaptive = {"adaptive_rank": True}
    models: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("adaptive rank", "rrae", adaptive),
        ("IRMAE", "irmae", {}),
        ("MaskAAE", "mask-aae", {}),
    )
    masked = {8: "9", 16: "16"}
    return TableSpec(
        "dimension-recovery",
        "Who finds the dimension of the data: 8 and 16, of twice as many coefficients",
        recipe="smooth-map-8",
        columns=(
            Column(FOUND, _found, 1),
            Column("numerical rank", lambda evaluation: evaluation.latent.numerical_rank, 1),
            Column(EFFECTIVE, lambda evaluation: evaluation.latent.effective_rank, 1),
            TEST_COLUMN,
        ),
        rows=tuple(
            RowSpec(
                f"{dimension} of {2 * dimension}, {name}",
                model,
                {FOUND: masked[dimension]} if model == "mask-aae" else {},
                options=options,
                recipe=recipe,
            )
            for dimension, recipe in ((8, None), (16, "smooth-map-16"))
            for name, model, options in models
        ),
        seeds=3,
        evaluated_by="brief",
        remarks=(
            "The data: 10,000 vectors of 128 values, a fixed random smooth map of 8 or 16 normal draws",
            "Found: the rank at which the search of the adaptive rank ended; coordinates with a mask of 0.1 or more; "
            "of the IRMAE, the numerical rank of its coefficients (eigenvalues of the covariance above 0.001 of the "
            "largest)",
            "One network (two layers of 256), 4000 steps of 64, and the models' usual options, for all",
            "Published: the MaskAAE's table 2, on synthetic data whose map is not given",
        ),
    )


FAMILY_TABLES = (_family(), _depth(), _clusters(), _dimensions())
