"""The VRRAE paper's error of random generation: how far images are from the nearest of the shifted gaussians.

Of these data every possible sample is known: a bump ("the gaussian") of fixed width and height at any place.
"""

import numpy as np

from ..data.gaussians import WIDTH, profiles

_STEPS = 30
_HALVINGS = 8
_COARSE = np.linspace(-1, 1, 65)  # centres along each axis, among which the search starts
_BLOCK = 512  # images fitted together


def generation_errors(images: np.ndarray) -> np.ndarray:
    """`100 |x - g| / |g|` in per cent for each image x (count, side, side, 1), values from 0 to 1: (count,).

    g is the bump of the data's width and height whose centre, anywhere in the image, is nearest to x by least squares.
    """
    blocks = (images[start : start + _BLOCK, ..., 0] for start in range(0, len(images), _BLOCK))
    return np.concatenate([_relative_distances(np.asarray(block, np.float64)) for block in blocks])


def fit_centres(images: np.ndarray) -> np.ndarray:
    """Least-squares centres (count, 2), x and y in [-1, 1], of images (count, side, side).

    The best of a grid of centres, then Gauss-Newton steps, each halved until it does not go uphill.
    """
    centres = _best_of_grid(images)
    loss = _loss(images, centres)
    for _ in range(_STEPS):
        centres, loss = _downhill(images, centres, loss, _gauss_newton_step(images, centres))
    return centres


def _downhill(images: np.ndarray, centres: np.ndarray, loss: np.ndarray, step: np.ndarray):
    """Centres and losses after a step, halved for each image until its loss is not larger, or not taken."""
    best, least = centres, loss
    for _ in range(_HALVINGS):
        tried = np.clip(centres + step, -1, 1)
        tried_loss = _loss(images, tried)
        better = tried_loss < least
        best, least = np.where(better[:, None], tried, best), np.where(better, tried_loss, least)
        uphill = tried_loss > loss
        if not uphill.any():
            break
        step = np.where(uphill[:, None], step / 2, step)
    return best, least


def _relative_distances(images: np.ndarray) -> np.ndarray:
    along_x, along_y = (profiles(centres, images.shape[1]) for centres in fit_centres(images).T)
    fitted = along_y[:, :, None] * along_x[:, None, :]
    return 100 * np.linalg.norm(images - fitted, axis=(1, 2)) / np.linalg.norm(fitted, axis=(1, 2))


def _best_of_grid(images: np.ndarray) -> np.ndarray:
    rows = profiles(_COARSE, images.shape[1])
    power = np.sum(rows**2, axis=1)
    overlap = rows @ images @ rows.T  # (count, centres along y, centres along x)
    best = (power[:, None] * power - 2 * overlap).reshape(len(images), -1).argmin(axis=1)
    return np.stack([_COARSE[best % len(_COARSE)], _COARSE[best // len(_COARSE)]], axis=1)


def _loss(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """`sum (x - g)^2` of each image, without the part that does not depend on the centre."""
    along_x, along_y = (profiles(c, images.shape[1]) for c in centres.T)
    return _dot(along_x, along_x) * _dot(along_y, along_y) - 2 * _between(along_y, images, along_x)


def _gauss_newton_step(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Where the bump, linearised in its centre, fits best: a step (count, 2). A bump is a product, g = h(y) h(x)."""
    (x, slope_x), (y, slope_y) = (_profile_and_slope(c, images.shape[1]) for c in centres.T)
    xx, yy, xs, ys = _dot(x, x), _dot(y, y), _dot(x, slope_x), _dot(y, slope_y)
    right = [_between(y, images, slope_x) - yy * xs, _between(slope_y, images, x) - ys * xx]
    normal = np.array([[yy * _dot(slope_x, slope_x), ys * xs], [ys * xs, _dot(slope_y, slope_y) * xx]])
    return np.linalg.solve(np.moveaxis(normal, -1, 0), np.stack(right, axis=1)[..., None])[..., 0]


def _profile_and_slope(centres: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The bump along one axis, (count, side), and its derivative by the centre."""
    values = profiles(centres, side)
    return values, values * (np.linspace(-1, 1, side) - centres[:, None]) / WIDTH**2


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=1)


def _between(y: np.ndarray, images: np.ndarray, x: np.ndarray) -> np.ndarray:
    """`y^T X x` for each image X."""
    return np.einsum("nx,nx->n", (y[:, None, :] @ images)[:, 0], x)
