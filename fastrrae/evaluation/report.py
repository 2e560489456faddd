"""`report.html`: one page, nothing outside it, with everything worth looking at in a run."""

import base64
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple


class Picture(NamedTuple):
    """A figure in the report."""

    title: str
    path: Path
    caption: str


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --accent: #0b6e99; }}
body {{ margin: 0; background: #f7f8fa; color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }}
main {{ max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }}
h1 {{ font-size: 1.7rem; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.1rem; margin: 0 0 .5rem; }}
p {{ margin: .25rem 0; color: var(--muted); }}
.facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }}
.fact {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem; }}
.fact b {{ display: block; font-size: 1.35rem; color: var(--accent); overflow-wrap: anywhere; }}
.fact span {{ color: var(--muted); font-size: .85rem; }}
section {{ background: #fff; border: 1px solid var(--line); border-radius: 8px; }}
section {{ padding: 1rem 1.25rem; margin: 1rem 0; }}
img {{ max-width: 100%; height: auto; display: block; margin: .5rem auto 0; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
td, th {{ text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
td.number {{ white-space: nowrap; }}
.scroll {{ overflow-x: auto; }}
pre {{ overflow-x: auto; font-size: .8rem; background: #f7f8fa; padding: .75rem; border-radius: 6px; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{subtitle}</p>
<div class="facts">{facts}</div>
{sections}
</main>
</body>
</html>
"""


def write_report(
    path: Path,
    *,
    title: str,
    subtitle: str,
    facts: Mapping[str, str],
    results: Mapping[str, Any],
    pictures: list[Picture],
    details: Mapping[str, Any],
) -> None:
    """Write the page: headline facts, tables of the results, pictures with captions, collapsible JSON details."""
    boxes = "".join(f"<div class=fact><b>{escape(v)}</b><span>{escape(k)}</span></div>" for k, v in facts.items())
    tables = [
        _error_table(results["reconstruction_errors"]),
        *_quality_table(results),
        _latent_table(results["latent"]),
    ]
    sections = [*tables, *map(_figure, pictures), *(_details(k, v) for k, v in details.items())]
    page = _PAGE.format(title=escape(title), subtitle=escape(subtitle), facts=boxes, sections="\n".join(sections))
    path.write_text(page)


def _error_table(errors: Mapping[str, Mapping[str, float]]) -> str:
    columns = ("overall", "per_sample_mean", "per_sample_std")
    rows = [[split, *(f"{values[name]:.2f} %" for name in columns)] for split, values in errors.items()]
    explanation = (
        "100 \u2016x\u2032 \u2212 x\u2016 / \u2016x\u2016 in normalised values: over all samples together, and per "
        "sample."
    )
    head = ["samples", "overall", "per sample, mean", "deviation"]
    return _table("Reconstruction error", explanation, head, rows)


def _quality_table(results: Mapping[str, Any]) -> list[str]:
    """Of the sets of samples that were compared with a reference; nothing where none were."""
    if "features" not in results:
        return []
    sets = {f"draws from {name}": figures for name, figures in results["samples"].items()}
    sets |= {name: results[name] for name in ("interpolations", "reconstructions") if name in results}
    rows = [
        [
            name,
            f"{figures['fid']:.2f}" + (" (biased)" if figures.get("fid_biased") else ""),
            f"{figures['kid']:.4g} \u00b1 {figures['kid_std']:.2g}",
            *(f"{figures[part]:.3f}" if part in figures else "\u2013" for part in ("precision", "recall")),
        ]
        for name, figures in sets.items()
    ]
    features, protocol = results["features"], results["protocol"]
    accuracy = f" (test accuracy {100 * features['test_accuracy']:.2f} %)" if "test_accuracy" in features else ""
    explanation = (
        f"Compared with {protocol['reference']}, in {features['dimensions']} features of {features['kind']}{accuracy}. "
        f"Protocol {protocol['name']}, {protocol['drawn']}, seed {protocol['seed']}. Figures compare with others of "
        "the same protocol and features only."
    )
    biased = any(figures.get("fid_biased") for figures in sets.values())
    note = " Biased: there are no more samples than features, which makes the FID too large." if biased else ""
    return [_table("Sets of samples", explanation + note, ["set", "FID", "KID", "precision", "recall"], rows)]


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
    return _table("Latent space", "Of the whole training set.", ["", ""], rows)


def _table(title: str, explanation: str, head: list[str], rows: list[list[str]]) -> str:
    """A section with a table: names in the first column, numbers in the others."""
    cells = "".join(f"<th class=number>{escape(name)}</th>" for name in head[1:])
    lines = "".join(
        f"<tr><td>{escape(first)}</td>" + "".join(f"<td class=number>{escape(cell)}</td>" for cell in others) + "</tr>"
        for first, *others in rows
    )
    header = f"<tr><th>{escape(head[0])}</th>{cells}</tr>" if any(head) else ""
    return (
        f"<section><h2>{escape(title)}</h2><p>{escape(explanation)}</p>"
        f"<div class=scroll><table>{header}{lines}</table></div></section>"
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.path.read_bytes()).decode()
    return (
        f"<section><h2>{escape(picture.title)}</h2><p>{escape(picture.caption)}</p>"
        f'<img alt="{escape(picture.title)}" src="data:image/png;base64,{data}"></section>'
    )


def _details(name: str, values: Any) -> str:
    return (
        f"<section><details><summary>{escape(name)}</summary>"
        f"<pre>{escape(json.dumps(values, indent=2))}</pre></details></section>"
    )
