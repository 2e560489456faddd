"""`report.html`: one page with everything worth looking at in a run."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..run import Run
from .page import Picture, details, figure, table, write_page
from .quality import name_features
from .table import ABSENT


def write_report(run: Run, results: Mapping[str, Any], pictures: Sequence[Picture]) -> None:
    """Write the page: headline facts, tables of the results, pictures with captions, collapsible JSON details."""
    config = run.config
    latent = run.model.bottleneck.latent_size
    summary = json.loads(run.folder.summary.read_text())
    write_page(
        run.folder.report,
        title=f"{config.model.model.upper()} on {config.recipe}",
        subtitle=f"rank {config.model.rank}, latent size {latent}, beta {config.objective.beta:g}, "
        f"batch size {config.training.batch_size}, seed {config.training.seed}",
        facts=_facts(run, results, summary),
        sections=[
            _error_table(results["reconstruction_errors"]),
            *_quality_table(results),
            _latent_table(results["latent"]),
            *map(figure, pictures),
            details("Protocol", results["protocol"]),
            details("Configuration", asdict(config)),
            details("Run", summary),
        ],
    )


def _facts(run: Run, results: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, str]:
    errors = results["reconstruction_errors"]
    main = next(split for split in errors if split != "train")
    rank = run.config.model.rank
    facts = {
        "reconstruction error, test": f"{errors[main]['overall']:.2f} %",
        "reconstruction error, train": f"{errors['train']['overall']:.2f} %",
    }
    for name, figures in list(results.get("samples", {}).items())[:1]:
        facts[f"FID, draws from {name}"] = f"{figures['fid']:.3f}"
    for name, error in list(results.get("generation_error", {}).items())[:1]:
        facts[f"error of draws from {name}"] = f"{error['mean']:.2f} %"
    return facts | {
        "coefficients per sample": f"{rank} of {math.prod(run.sample_shape)}",
        "active coefficients": f"{results['latent']['active_units']} of {rank}",
        "parameters": f"{summary['parameters']:,}",
        "training steps": f"{summary['steps']:,}",
        "training time": f"{summary['seconds']:.0f} s",
    }


def _error_table(errors: Mapping[str, Mapping[str, float]]) -> str:
    columns = ("overall", "per_sample_mean", "per_sample_std")
    rows = [[split, *(f"{values[name]:.2f} %" for name in columns)] for split, values in errors.items()]
    explanation = (
        "100 \u2016x\u2032 \u2212 x\u2016 / \u2016x\u2016 in normalised values: over all samples together, and per "
        "sample."
    )
    head = ["samples", "overall", "per sample, mean", "deviation"]
    return table("Reconstruction error", explanation, head, rows)


def _quality_table(results: Mapping[str, Any]) -> list[str]:
    """Of the sets of samples that were compared with a reference; nothing where none were."""
    if "features" not in results:
        return []
    sets = {f"draws from {name}": figures for name, figures in results["samples"].items()}
    sets |= {name: results[name] for name in ("interpolations", "reconstructions") if name in results}
    rows = [
        [
            name,
            f"{figures['fid']:.3f}" + (" (biased)" if figures.get("fid_biased") else ""),
            f"{figures['kid']:.4g} \u00b1 {figures['kid_std']:.2g}",
            *(f"{figures[part]:.3f}" if part in figures else ABSENT for part in ("precision", "recall")),
        ]
        for name, figures in sets.items()
    ]
    protocol = results["protocol"]
    explanation = (
        f"Compared with {protocol['reference']}, in {name_features(results['features'])}. Protocol {protocol['name']}, "
        f"{protocol['drawn']}, seed {protocol['seed']}. Figures compare with "
        "others of the same protocol and features only."
    )
    biased = any(figures.get("fid_biased") for figures in sets.values())
    note = " Biased: there are no more samples than features, which makes the FID too large." if biased else ""
    return [table("Sets of samples", explanation + note, ["set", "FID", "KID", "precision", "recall"], rows)]


def _latent_table(latent: Mapping[str, Any]) -> str:
    rows = [
        ["active coordinates (variance of the means above 0.01)", f"{latent['active_units']} of {latent['rank']}"],
        ["effective rank of the coefficients' covariance", f"{latent['effective_rank']:.2f}"],
        [
            "effective rank of the latent matrix before the bottleneck",
            f"{latent['effective_rank_before_bottleneck']:.2f}",
        ],
        ["mean absolute correlation between coordinates", f"{latent['correlation']:.3f}"],
    ]
    if "kl" in latent:
        rows.append(["KL term per sample", f"{latent['kl']:.2f} nats"])
    return table("Latent space", "Of the whole training set.", ["", ""], rows)
