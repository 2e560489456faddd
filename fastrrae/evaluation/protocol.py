"""What an evaluation measures, in full: metrics of two runs can be compared only where this is the same."""

from dataclasses import dataclass, replace
from typing import Literal

from ..config import ProtocolName
from ..interpolation import PathKind

# single is the prior, or a Gaussian where there is none.
DensityName = Literal["mixture", "gaussian", "prior", "single", "second-stage", "flow"]


@dataclass(frozen=True)
class Interpolations:
    """Points on paths between random pairs of test samples."""

    kind: PathKind
    pairs: int
    points: int  # on each path, equally spaced, without its ends

    def __str__(self) -> str:
        place = "at the middle" if self.points == 1 else f"at {self.points} points"
        return f"{self.kind}, {place} between {self.pairs} random pairs of test samples"


@dataclass(frozen=True)
class Protocol:
    """How a run is evaluated."""

    name: str
    densities: tuple[DensityName, ...]  # over coefficients, to draw samples from; the first is the headline's
    samples: int  # drawn from each density
    reference: Literal["train", "test"]  # the samples that all are compared with
    interpolations: Interpolations | None
    reconstructions: bool  # whether reconstructions of test samples are compared with the reference too

    def scaled_down(self, samples: int) -> "Protocol":
        """The same with at most `samples` samples, and as many pairs as give that many points: for a first look."""
        paths = self.interpolations
        if paths is not None:
            paths = replace(paths, pairs=min(paths.pairs, max(1, samples // paths.points)))
        return replace(self, name=f"{self.name}, quick", samples=min(self.samples, samples), interpolations=paths)


_DEFAULT = Protocol(
    "default",
    densities=("mixture", "gaussian", "prior", "second-stage"),
    samples=10_000,
    reference="train",
    interpolations=Interpolations("linear", pairs=2000, points=5),
    reconstructions=True,
)

PROTOCOLS: dict[ProtocolName, Protocol] = {
    "default": _DEFAULT,
    "all-densities": replace(_DEFAULT, name="all-densities", densities=(*_DEFAULT.densities, "flow")),
    # VRRAE paper, section 3.2 and appendix A.4; how many components its mixture has is not said.
    "vrrae": Protocol(
        "vrrae",
        densities=("mixture",),
        samples=1250,
        reference="train",
        interpolations=Interpolations("linear", pairs=250, points=5),
        reconstructions=False,
    ),
    # RAE paper, appendices C to E: a single Gaussian is the prior where there is one, fitted otherwise; only its VAE
    # has a second stage. Its pairs and reconstructions are of a validation set; here of the test set.
    "rae": Protocol(
        "rae",
        densities=("single", "mixture", "second-stage"),
        samples=10_000,
        reference="test",
        interpolations=Interpolations("spherical", pairs=10_000, points=1),
        reconstructions=True,
    ),
    "brief": Protocol("brief", densities=(), samples=0, reference="train", interpolations=None, reconstructions=False),
}
