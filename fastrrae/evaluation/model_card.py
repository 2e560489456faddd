"""A model card: what a reader must know of a trained model before using it, as Markdown with Hugging Face's header."""

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template

from ..atomic_files import write_text
from ..config import DataConfig
from ..data import Normalisation
from ..errors import InputError
from ..run import Run
from ..run_config import flat_fields, without_place
from .report import result_tables
from .results import Evaluation, load_evaluation
from .run_settings import title
from .sample_metrics import name_features

_SOURCES = {
    "own": "arrays that were handed over in Python",
    "gaussians": "shifted gaussians, generated (VRRAE paper)",
    "digits": "the handwritten digits of scikit-learn",
    "mnist": "MNIST",
    "expressions": "random arithmetic expressions",
}
_PICTURES = {  # of those that an evaluation draws, the ones that say something of the model
    "reconstructions": "Test samples, and their reconstructions",
    "samples": "New samples, drawn from a Gaussian mixture that is fitted on the training coefficients",
    "interpolations": "Straight lines between the coefficients of two test samples",
    "coefficients": "The first two coefficients of every training sample",
}


def write_model_card(run: Run, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
    """Write a model card of a run: data, training, metrics with their protocol, pictures, limits, how to load it.

    Everything in it was recorded or measured; metrics and pictures are those of the last `evaluate`, if there was one.

    Args:
        run: a finished run.
        path: the .md file; by default README.md in the run folder. Links to pictures start there.
        overwrite: replace a file that exists.

    Returns:
        The path.

    Raises:
        InputError: the file exists, its name does not end in .md, its folder does not exist, or the evaluation is
            damaged.

    Example:
        >>> write_model_card(load_run("runs/mine"))
        PosixPath('runs/mine/README.md')
    """
    path = run.folder.root / "README.md" if path is None else Path(path)
    if path.suffix != ".md":
        raise InputError(f"`out` must end in .md; got {path}")
    if not path.parent.is_dir():
        raise InputError(f"`out` is in the folder {path.parent}, which does not exist")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: give `overwrite` to replace it, or `out` for another file")
    write_text(path, _render(run, path.parent))
    run.folder.publish()
    return path


def _render(run: Run, folder: Path) -> str:
    results = _evaluation_of(run)
    config = without_place(run.config)
    return _template().render(
        title=title(run),
        tags=["jax", "autoencoder", "rank-reduction", run.name],
        about=_about(run),
        data=_data_facts(run),
        training=_training_facts(run),
        settings={name: value for name, value in flat_fields(config).items() if value not in (None, {}, ())},
        tables=[] if results is None else result_tables(results),
        protocol={} if results is None else _protocol_in_words(results.protocol),
        pictures=_pictures(run, folder),
        limits=_limits(run, results),
        folder=run.folder.root.resolve().name,
        own_parts="".join(f", {part}=..." for part in ("encoder", "decoder", "bottleneck") if part in config.own_parts),
        shape=", ".join(map(str, run.sample_shape)),
        rank=run.rank,
    )


def _evaluation_of(run: Run) -> Evaluation | None:
    if not run.folder.evaluation.exists():
        return None
    run.folder.require_evaluation_intact()
    return load_evaluation(run.folder.evaluation)


def _about(run: Run) -> str:
    own = "bottleneck" in run.config.own_parts
    kind = f"An autoencoder with a bottleneck of its own ({run.name})" if own else _sentence(run.config.model.title)
    latent = run.model.bottleneck.latent_size
    within = "" if latent == run.rank else f", by way of a latent space of {latent} dimensions"
    return (
        f"{kind}. Its encoder describes a sample of {math.prod(run.sample_shape):,} numbers by {run.rank} "
        f"coefficients{within}, and its decoder makes the sample again."
    )


def _data_facts(run: Run) -> list[str]:
    described, data = run.folder.load_data_description(), run.config.data
    counts = {"training": described.get("train_count"), **described.get("test_counts", {})}
    facts = [
        f"What: {_source(data)}.",
        f"Shape of a sample: {run.sample_shape}.",
        "Samples: " + ", ".join(f"{name} {count:,}" for name, count in counts.items() if count is not None) + ".",
        f"Normalisation: {_normalisation(run.normalisation)}.",
    ]
    if data.source == "array":
        facts.append(f"Split: {data.test_fraction:g} of the samples at random for testing, seed {data.split_seed}.")
    if described.get("fingerprint"):
        facts.append(f"Fingerprint: `{described['fingerprint']}`.")
    return facts


def _source(data: DataConfig) -> str:
    known = _SOURCES.get(data.source)
    if known is not None:
        return known
    # The name alone: where the file lay is nobody's business.
    return f"{data.source} of `{Path(data.data).name}`" if data.data else data.source


def _normalisation(normalisation: Normalisation) -> str:
    if isinstance(normalisation.offset, tuple) or isinstance(normalisation.scale, tuple):
        return "an offset and a scale for each feature or channel, which the model applies"
    if (normalisation.offset, normalisation.scale) == (0, 1):
        return "none"
    return f"(x - {normalisation.offset:g}) / {normalisation.scale:g}, which the model applies"


def _training_facts(run: Run) -> list[str]:
    summary, training = run.folder.load_summary(), run.config.training
    stopped = ", stopped early by the validation error" if summary.get("stopped_early") else ""
    facts = [
        f"Steps: {summary['steps']:,} of {training.batch_size} samples{stopped}; seed {training.seed}.",
        f"Parameters: {summary['parameters']:,}.",
    ]
    weights = run.config.objective.weights
    if weights:
        facts.append("Penalties: " + ", ".join(f"{name}, weight {weight:g}" for name, weight in weights.items()) + ".")
    if run.config.own_parts:
        facts.append("Own parts: " + ", ".join(f"{name} `{part}`" for name, part in run.config.own_parts.items()) + ".")
    if run.config.parent:
        facts.append(f"Started from the {run.config.parent['takes']} of another run.")
    if "seconds" in summary:
        facts.append(f"Time: {summary['seconds']:.0f} s on {_devices(summary)}.")
    if "versions" in summary:
        facts.append("Versions: " + ", ".join(f"{name} {number}" for name, number in summary["versions"].items()) + ".")
    if "parameters_sha256" in summary:
        facts.append(f"Digest of the parameters: `{summary['parameters_sha256']}`.")
    return facts


def _devices(summary: Mapping[str, Any]) -> str:
    devices = summary.get("devices", [])
    counts = {kind: devices.count(kind) for kind in dict.fromkeys(devices)}
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items()) or "devices that were not recorded"


def _protocol_in_words(protocol: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: "; ".join(f"{key}: {value}" for key, value in words.items()) if isinstance(words, Mapping) else str(words)
        for name, words in protocol.items()
    }


def _pictures(run: Run, folder: Path) -> dict[str, str]:
    """Links to the pictures that exist, relative to the card's folder, by caption."""
    paths = {caption: run.folder.figures / f"{name}.png" for name, caption in _PICTURES.items()}
    return {
        caption: quote(Path(os.path.relpath(path, folder)).as_posix())
        for caption, path in paths.items()
        if path.exists()
    }


def _limits(run: Run, results: Evaluation | None) -> list[str]:
    """What the measurements say that the model cannot do, and what they do not say."""
    limits = ["It is known on the data above alone: samples of other kinds, units or sizes were not tried."]
    if results is None:
        return [*limits, "It was not evaluated: `fastrrae evaluate` measures its errors and draws its pictures."]
    test = list(results.reconstruction_errors)[-1]
    limits.append(f"What it reconstructs is off by {results.reconstruction_error:.2f} % of the norm ({test} samples).")
    pca = results.pca_errors.get(test)
    if pca is not None:
        verdict = "better" if pca.overall < results.reconstruction_error else "no better"
        limits.append(f"As many principal components are {verdict}: their error is {pca.overall:.2f} %.")
    latent = results.latent
    if latent.active_units < latent.rank:
        limits.append(
            f"Of its {latent.rank} coefficients, {latent.rank - latent.active_units} hardly vary over the training set "
            f"(variance at most 0.01)."
        )
    return [*limits, *_limits_of_samples(results)]


def _limits_of_samples(results: Evaluation) -> list[str]:
    if results.features is None:
        return ["New samples were not compared with the data: nothing is known of how good or diverse they are."]
    densities = "; ".join(results.protocol.get("densities", {}).values())
    limits = [
        f"New samples depend on the density that their coefficients are drawn from; measured: {densities}.",
        f"FIDs are in {name_features(results.features)} (sha256 `{results.features['sha256'][:12]}`), by the protocol "
        f"{results.protocol['name']}. They can be compared with no others: with those of papers only if the features "
        "are those of Inception-v3 there and here.",
    ]
    if any(metrics.fid_biased for metrics in results.compared_sets.values()):
        limits.append("There are no more samples than features, which makes the FIDs too large.")
    return limits


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(value: Any) -> str:
    """A value as the text of a cell, which must not end it."""
    if isinstance(value, Mapping):
        value = [f"{name} {number}" for name, number in value.items()]
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


@lru_cache
def _template() -> Template:
    environment = Environment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["cell"] = _cell
    source = resources.files("fastrrae.evaluation").joinpath("model_card.md.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)
