"""`report.html`: one page with everything worth looking at in a run."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..run import Run
from ..run_config import encode_config
from .html_page import DetailsSection, PictureSection, TableSection, write_page
from .plan_table import plan_tables
from .protocol_text import ACTIVE_UNITS
from .results import Evaluation, LatentMetrics, ReconstructionError, SampleMetrics, StringMetrics
from .results_table import ABSENT
from .run_settings import main_settings, title
from .sample_metrics import name_features


def write_report(run: Run, results: Evaluation, shown: Sequence[PictureSection | TableSection]) -> None:
    """Write the page: headline facts, tables of the results, what is `shown` of samples, collapsible JSON details."""
    summary = json.loads(run.folder.summary.read_text(encoding="utf-8"))
    bottleneck = run.model.bottleneck
    write_page(
        run.folder.report,
        title=title(run),
        subtitle=f"rank {bottleneck.rank}, latent size {bottleneck.latent_size}, {main_settings(run.config)}",
        facts=_facts(run, results, summary),
        sections=[
            *result_tables(results),
            *plan_tables(run.folder),
            *shown,
            DetailsSection("Protocol", dict(results.protocol)),
            DetailsSection("Configuration", encode_config(run.config)),
            DetailsSection("Run", summary),
        ],
    )


def result_tables(results: Evaluation) -> list[TableSection]:
    """The metrics, each with what they are of: errors, labels and sets of samples where there are any, latent space."""
    return [
        _error_table(results),
        *_string_table(results),
        *_surrogate_table(results),
        *_label_table(results),
        *_sample_table(results),
        _latent_table(results.latent),
    ]


def _facts(run: Run, results: Evaluation, summary: Mapping[str, Any]) -> dict[str, str]:
    rank = results.latent.rank
    facts = {} if results.strings is None else _string_facts(results.strings)
    facts |= {
        "reconstruction error, test": f"{results.reconstruction_error:.2f} %",
        "reconstruction error, train": f"{results.reconstruction_errors['train'].overall:.2f} %",
    }
    for name, error in list(results.pca_errors.items())[1:2]:
        facts[f"PCA of the same rank, {name}"] = f"{error.overall:.2f} %"
    if results.surrogate is not None:
        facts["error from parameters, test"] = f"{results.surrogate.error.overall:.2f} %"
    for name, metrics in list(results.samples.items())[:1]:
        facts[f"FID, draws from {name}"] = f"{metrics.fid:.3f}"
    for name, error in list(results.generation_error.items())[:1]:
        facts[f"error of draws from {name}"] = f"{error.mean:.2f} %"
    facts |= {name.replace("_", " "): f"{value:.2f}" for name, value in results.of_model.items()}
    if run.config.parent:
        facts["started from"] = f"the {run.config.parent['takes']} of {run.config.parent['run']}"
    return facts | {
        "coefficients per sample": f"{rank} of {math.prod(run.sample_shape)}",
        "active coefficients": f"{results.latent.active_units} of {rank}",
        "parameters": f"{summary['parameters']:,}",
        "training steps": f"{summary['steps']:,}" + (", stopped early" if summary.get("stopped_early") else ""),
        "training time": f"{summary['seconds']:.0f} s",
    }


def _error_table(results: Evaluation) -> TableSection:
    rows = [_error_row(split, error) for split, error in results.reconstruction_errors.items()]
    rows += [_error_row(f"PCA, {split}", error) for split, error in results.pca_errors.items()]
    explanation = (
        "100 \u2016x\u2032 \u2212 x\u2016 / \u2016x\u2016 in normalised values: over all samples together, and per "
        "sample; and the share of the variance that is explained."
    )
    if results.pca_samples is not None:
        explanation += (
            f" PCA: the first {results.latent.rank} principal components (POD) of {results.pca_samples:,} training "
            f"samples, for comparison."
        )
    if not np.all(np.isnan(results.feature_errors)):
        worst = int(np.nanargmax(results.feature_errors))
        explanation += (
            f" The worst of {len(results.feature_errors)} features is number {worst}: its error is "
            f"{results.feature_errors[worst]:.1f} % of its standard deviation."
        )
    header = ["samples", "overall", "per sample, mean", "deviation", "explained variance"]
    return TableSection("Reconstruction error", explanation, header, rows)


def _error_row(name: str, error: ReconstructionError) -> list[str]:
    values = (error.overall, error.per_sample_mean, error.per_sample_std, error.explained_variance)
    return [name, *(ABSENT if value is None else f"{value:.2f} %" for value in values)]


def _string_facts(found: StringMetrics) -> dict[str, str]:
    main = list(found.exact)[1]
    return {
        f"strings that come back exactly, {main}": f"{found.exact[main]:.2f} %",
        "valid draws": f"{found.valid:.1f} %",
        **({} if found.molecules is None else {"draws that are molecules": f"{found.molecules:.1f} %"}),
    }


def _string_table(results: Evaluation) -> list[TableSection]:
    """Of strings of a grammar: how many come back, and what is drawn; nothing of other data."""
    found = results.strings
    if found is None:
        return []
    rows = [[split, f"{found.exact[split]:.2f} %", f"{found.steps[split]:.2f} %"] for split in found.exact]
    explanation = (
        f"Strings, and steps of their sequences, that come back exactly. Of {found.drawn} draws from the mixture on "
        f"the training coefficients, {found.valid:.1f} % are strings of the grammar, and {found.distinct:.1f} % differ "
        f"from each other."
    )
    if found.molecules is not None:
        explanation += f" RDKit reads {found.molecules:.1f} % as molecules."
    return [TableSection("Strings", explanation, ["strings", "exact", "steps"], rows)]


def _surrogate_table(results: Evaluation) -> list[TableSection]:
    """Predictions from parameters alone, next to those of POD; nothing where there are none."""
    found = results.surrogate
    if found is None:
        return []
    explanation = (
        f"Test samples, predicted from {', '.join(found.parameters)} alone: coefficients are interpolated over the "
        f"training parameters ({found.method}), and decoded; those of POD in the same way. Projected: the error of the "
        f"test samples' own projections, the least that POD of this rank can have."
    )
    if found.outside:
        explanation += f" {found.outside} test samples are outside of the convex hull of the training parameters."
    rows = [[f"this run, rank {results.latent.rank}", f"{found.error.overall:.2f} %", ABSENT]]
    rows += [
        [f"POD, rank {rank}", f"{errors.interpolated:.2f} %", f"{errors.projected:.2f} %"]
        for rank, errors in found.pod.items()
    ]
    return [TableSection("Fields from parameters", explanation, ["", "predicted", "projected"], rows)]


def _label_table(results: Evaluation) -> list[TableSection]:
    """How much the coefficients say of the labels; nothing where there are none."""
    if not results.label_accuracy:
        return []
    explanation = (
        "Test labels that are found from standardised codes of the training set, by logistic regression and by the ten "
        "nearest neighbours."
    )
    rows = [[name, f"{found.linear:.2f} %", f"{found.nearest:.2f} %"] for name, found in results.label_accuracy.items()]
    return [TableSection("Labels from codes", explanation, ["codes", "linear", "nearest"], rows)]


def _sample_table(results: Evaluation) -> list[TableSection]:
    """Of the sets of samples that were compared with a reference; nothing where none were."""
    if results.features is None:
        return []
    sets = results.compared_sets
    protocol = results.protocol
    explanation = (
        f"Compared with {protocol['reference']}, in {name_features(results.features)}. Protocol {protocol['name']}, "
        f"{protocol['drawn']}, seed {protocol['seed']}. Compare these numbers only with others of the same protocol "
        "and features."
    )
    if any(metrics.fid_biased for metrics in sets.values()):
        explanation += " Biased: there are no more samples than features, which makes the FID too large."
    rows = [_sample_row(name, metrics) for name, metrics in sets.items()]
    return [TableSection("Sets of samples", explanation, ["set", "FID", "KID", "precision", "recall"], rows)]


def _sample_row(name: str, metrics: SampleMetrics) -> list[str]:
    return [
        name,
        f"{metrics.fid:.3f}" + (" (biased)" if metrics.fid_biased else ""),
        f"{metrics.kid:.4g} \u00b1 {metrics.kid_std:.2g}",
        *(ABSENT if part is None else f"{part:.3f}" for part in (metrics.precision, metrics.recall)),
    ]


def _latent_table(latent: LatentMetrics) -> TableSection:
    rows = [
        ["active coordinates (variance of the means above 0.01)", f"{latent.active_units} of {latent.rank}"],
        ["effective rank of the coefficients' covariance", f"{latent.effective_rank:.2f}"],
        [
            "numerical rank of the coefficients' covariance (eigenvalues above 0.001 of the largest)",
            f"{latent.numerical_rank} of {latent.rank}",
        ],
        ["effective rank of the latent matrix before the bottleneck", f"{latent.effective_rank_before_bottleneck:.2f}"],
        ["mean absolute correlation between coordinates", f"{latent.correlation:.3f}"],
    ]
    if latent.kl is not None:
        rows.append(["KL term per sample", f"{latent.kl:.2f} nats"])
    explanation = f"Of the whole training set. Note that {ACTIVE_UNITS}."
    return TableSection("Latent space", explanation, ["", ""], rows)
