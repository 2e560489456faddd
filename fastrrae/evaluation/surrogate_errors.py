"""What a surrogate is worth: errors on test parameters, next to those of principal components (POD) of larger ranks."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..data import Dataset, ordered_batches
from ..models.inference import infer, infer_batches
from ..run import Run
from ..surrogates import Surrogate
from ..surrogates.convex_hull import MOST_DIMENSIONS
from ..surrogates.interpolant import BATCH, interpolate
from ..surrogates.parameter_space import ParameterSpace
from ..surrogates.surrogate import fit_interpolant
from .principal_components import PrincipalComponents
from .reconstruction import ReconstructionSums
from .results import PODErrors, ReconstructionError, SurrogateErrors

METHOD = "rbf"
MULTIPLES = (1, 2, 4, 8)  # of the rank of the run, for POD
MOST_SAMPLES = 2000  # to fit on, in an evaluation; the first ones of a larger training set


@dataclass(frozen=True)
class Predictions:
    """Coefficients of the main test set, found from its parameters by the same method for a run and for POD.

    Attributes:
        surrogate: the surrogate of the run.
        codes: (count, rank), to decode.
        components: as many principal components of the training set as the largest multiple of the rank.
        pod_codes: their coefficients (count, components).
    """

    surrogate: Surrogate
    codes: np.ndarray
    components: PrincipalComponents
    pod_codes: np.ndarray

    @classmethod
    def of(cls, run: Run, dataset: Dataset) -> "Predictions | None":
        """None unless the data is the run's own, with finite parameters of training and of main test samples."""
        main = next(iter(dataset.tests))
        known = [dataset.parameters.get(split) for split in ("train", main)]
        train, test = (values if values is not None and np.isfinite(values).all() else None for values in known)
        if train is None or test is None or len(train) < 2 or run.folder.differences(dataset):
            return None
        count = min(len(train), MOST_SAMPLES)
        space = ParameterSpace(dataset.parameter_names, train[:count])
        surrogate = Surrogate.fit(space, run.training_coefficients[:count], run.model, run.normalisation, METHOD)
        components = PrincipalComponents.fit(max(MULTIPLES) * run.rank, dataset.train, run.normalisation)
        pod = fit_interpolant(space, components.codes(dataset.train[:count]), METHOD)
        return cls(surrogate, surrogate.coefficients(test), components, interpolate(pod, space.scale(test)))

    @property
    def ranks(self) -> list[int]:
        """How many principal components are compared with the run."""
        rank, most = self.codes.shape[1], len(self.components.components)
        return sorted({min(multiple * rank, most) for multiple in MULTIPLES})

    def fields(self, count: int) -> np.ndarray:
        """The first predicted fields (count, *sample_shape), in the units of the data."""
        model = self.surrogate.model
        return self.surrogate.normalisation.invert(infer(model, "decode", self.codes[:count].astype(np.float32)))

    def pod_fields(self, count: int, rank: int, shape: tuple[int, ...]) -> np.ndarray:
        """The fields of POD."""
        values = self.components.first(rank).decode(self.pod_codes[:count, :rank])
        return self.surrogate.normalisation.invert(values.reshape(-1, *shape))


def surrogate_errors(predictions: Predictions, dataset: Dataset) -> SurrogateErrors:
    """Errors of the fields that are predicted for the parameters of the main test set."""
    surrogate, main = predictions.surrogate, next(iter(dataset.tests))
    decoded = infer_batches(surrogate.model, "decode", _batches(predictions.codes.astype(np.float32)))
    return SurrogateErrors(
        method=METHOD,
        parameters=list(surrogate.parameter_names),
        outside=_count_outside(surrogate.space, dataset.parameters[main]),
        error=_error(surrogate, dataset, (fields for _, fields in decoded)),
        pod={str(rank): _pod_errors(predictions, dataset, rank) for rank in predictions.ranks},
    )


def _count_outside(space: ParameterSpace, parameters: np.ndarray) -> int | None:
    return int(space.outside(parameters).sum()) if len(space.names) <= MOST_DIMENSIONS else None


def _pod_errors(predictions: Predictions, dataset: Dataset, rank: int) -> PODErrors:
    components = predictions.components.first(rank)
    fields = (components.decode(codes) for codes in _batches(predictions.pod_codes[:, :rank]))
    interpolated = _error(predictions.surrogate, dataset, fields)
    return PODErrors(interpolated.overall, components.error(dataset.test).overall)


def _error(surrogate: Surrogate, dataset: Dataset, fields: Iterable[np.ndarray]) -> ReconstructionError:
    """Of predicted fields, in batches and normalised."""
    samples = ordered_batches(dataset.test, surrogate.normalisation, batch_size=BATCH)
    return ReconstructionSums(zip(map(np.asarray, samples), fields, strict=True)).error()


def _batches(codes: np.ndarray) -> Iterable[np.ndarray]:
    return (codes[start : start + BATCH] for start in range(0, len(codes), BATCH))
