"""The tables of the IRMAE paper's supplement, with the numbers that it prints in them."""

from ..evaluation.results_table import Column, of_draws
from .specification import RowSpec, TableSpec
from .vrrae_paper import TEST_COLUMN

RANK, FID = "latent rank", "FID, one Gaussian"
_COLUMNS = (
    Column(RANK, lambda evaluation: evaluation.latent.numerical_rank, 1),
    Column(FID, of_draws(lambda metrics: metrics.fid, "gaussian"), 3),
    Column("FID, mixture", of_draws(lambda metrics: metrics.fid, "mixture"), 3),
    TEST_COLUMN,
)
_REMARKS = (
    "Differs: the FID is in the features of a small classifier of the labels (the paper: Inception), so that only the "
    "order can be compared, not the values; `--features FILE` takes Inception weights",
    "Differs: the paper does not say which density its supplement draws from: one Gaussian and a mixture here",
    "Differs: the paper does not say how many epochs it trains: 20 here",
    "Latent rank: eigenvalues of the covariance of the coefficients above 0.001 of the largest (the paper: those that "
    "are not zero)",
)
_RESIZED = "Differs: images are padded to 32 x 32 (the paper: resized)"


def _published(rank: int, fid: float) -> dict[str, str]:
    return {RANK: str(rank), FID: f"{fid:g}"}


def _variance() -> TableSpec:
    published = {1: (8, 37.4), 2: (43, 33.8), 4: (66, 49.0)}
    return TableSpec(
        "irmae-table3",
        "IRMAE paper, table 3: initial variance of the linear layers, MNIST",
        recipe="irmae-mnist",
        columns=_COLUMNS,
        rows=tuple(
            RowSpec(f"{times}x", "irmae", _published(*row), options={"linear_variance": float(times)})
            for times, row in published.items()
        ),
        seeds=1,
        evaluated_by="default",
        remarks=(*_REMARKS, _RESIZED),
    )


def _depth() -> TableSpec:
    published = {2: (70, 44.0), 4: (39, 30.1), 8: (8, 37.4), 12: (4, 62.6)}
    return TableSpec(
        "irmae-table4",
        "IRMAE paper, table 4: number of linear layers, MNIST",
        recipe="irmae-mnist",
        columns=_COLUMNS,
        rows=tuple(
            RowSpec(f"{count} layers", "irmae", _published(*row), options={"linear_layers": count})
            for count, row in published.items()
        ),
        seeds=1,
        evaluated_by="default",
        remarks=(*_REMARKS, _RESIZED),
    )


def _latent_size() -> TableSpec:
    published = {
        "irmae": {32: 81.6, 64: 64.6, 128: 47.6, 256: 42.7, 512: 42.0},
        "ae": {32: 78.2, 64: 60.1, 128: 46.0, 256: 45.4, 512: 53.9},
    }
    return TableSpec(
        "irmae-table6",
        "IRMAE paper, table 6: size of the latent vectors, CelebA",
        recipe="irmae-celeba",
        columns=_COLUMNS,
        rows=tuple(
            RowSpec(f"{model}, {size}", model, {FID: f"{fid:g}"}, options={"rank": size})
            for model, row in published.items()
            for size, fid in row.items()
        ),
        seeds=1,
        evaluated_by="default",
        remarks=_REMARKS,
    )


IRMAE_TABLES = (_variance(), _depth(), _latent_size())
