"""Whether points lie in the convex hull of others, in any number of dimensions."""

import numpy as np

TOLERANCE = 1e-9  # of the unit box that the points span
BLOCK = 512  # points that are compared with all facets at a time
MOST_DIMENSIONS = 4  # in which the facets of a hull are computed; their number grows exponentially


def in_convex_hull(points: np.ndarray, of: np.ndarray) -> np.ndarray:
    """True for those of `points` (count, P) that are a mean of the rows of `of` (samples, P) with weights from 0 to 1.

    Also where these rows lie in a plane or on a line: what is off that plane is outside.
    """
    centre = of.mean(axis=0)
    _, s, axes = np.linalg.svd(of - centre, full_matrices=False)
    axes = axes[s > TOLERANCE * max(1.0, len(of)) ** 0.5]  # those along which they differ at all
    on_plane = np.abs((points - centre) - (points - centre) @ axes.T @ axes).max(axis=1, initial=0) <= TOLERANCE
    flat, own = (points - centre) @ axes.T, (of - centre) @ axes.T
    inside = on_plane & np.all((flat >= own.min(axis=0) - TOLERANCE) & (flat <= own.max(axis=0) + TOLERANCE), axis=1)
    if len(axes) > MOST_DIMENSIONS:
        inside[inside] = [_is_mean(point, own) for point in flat[inside]]
    elif len(axes) > 1:
        inside[inside] = _within_facets(flat[inside], own)
    return inside


def _within_facets(points: np.ndarray, of: np.ndarray) -> np.ndarray:
    from scipy.spatial import ConvexHull, QhullError

    try:
        facets = ConvexHull(of).equations  # outward normals and offsets
    except QhullError:  # nearly flat: its points are moved by a little, to find one all the same
        facets = ConvexHull(of, qhull_options="QJ").equations
    blocks = (points[start : start + BLOCK] for start in range(0, len(points), BLOCK))
    beyond = [(block @ facets[:, :-1].T + facets[:, -1]).max(axis=1, initial=-1) for block in blocks]
    return np.concatenate([*beyond, np.zeros(0)]) <= TOLERANCE


def _is_mean(point: np.ndarray, of: np.ndarray) -> bool:
    """Whether there are weights, which is a linear program."""
    from scipy.optimize import linprog

    equations = np.vstack([of.T, np.ones(len(of))])
    return linprog(np.zeros(len(of)), A_eq=equations, b_eq=[*point, 1.0], method="highs").status == 0
