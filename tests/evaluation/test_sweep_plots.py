"""The Pareto front against its definition, and pictures from hand-made numbers."""

import numpy as np
import pytest

from fastrrae.evaluation.collapse_plot import draw_panels
from fastrrae.evaluation.sweep_plots import Curve, draw_errors, draw_pareto, pareto_front


def dominated(points, i):
    return any(np.all(other <= points[i]) and np.any(other < points[i]) for other in points)


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_what_no_other_point_dominates(seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 6, (rng.integers(1, 15), 2)).astype(float)  # with equal coordinates and equal points
    front = pareto_front(points)
    assert sorted(front) == [i for i in range(len(points)) if not dominated(points, i)]
    assert list(points[front, 0]) == sorted(points[front, 0])


def test_pictures_name_settings_and_lines(tmp_path):
    curves = {"kl=0.1": Curve([2, 2, 4], [5.0, 7.0, 3.0]), "kl=1": Curve([2, 4], [8.0, 6.0])}
    draw_errors(curves, Curve([2, 4], [9.0, 4.0]), "rank", tmp_path / "errors.svg")
    text = (tmp_path / "errors.svg").read_text()
    assert all(f"<!-- {part} -->" in text for part in ("kl=0.1", "kl=1", "PCA of the same rank", "rank"))
    points = {"rank=2": (5.0, 1.0), "rank=4": (3.0, 2.0), "rank=8": (6.0, 3.0)}
    draw_pareto(points, list(points.values()), tmp_path / "pareto.svg")
    text = (tmp_path / "pareto.svg").read_text()
    assert all(f"<!-- {part} -->" in text for part in (*points, "Pareto front", "other settings", "FID"))


def test_a_grid_of_panels_has_a_column_for_each_rank(tmp_path):
    curves = {"VAE": Curve([1e-4, 1e-4, 1e-2], [0.0, 10.0, 50.0]), "VRRAE": Curve([1e-4, 1e-2], [0.0, 20.0])}
    draw_panels(
        {"collapsed": {"rank 2": curves, "rank 8": curves}, "error": {"rank 8": curves}}, "beta", tmp_path / "a.svg"
    )
    text = (tmp_path / "a.svg").read_text()
    assert all(
        f"<!-- {part} -->" in text for part in ("VAE", "VRRAE", "rank 2", "rank 8", "collapsed", "error", "beta")
    )
