"""From an encoded image to the bytes of a sample."""

import io
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError
from .collection import UnreadableImage


def describe_square(crop: int | None, size: int) -> dict[str, Any]:
    """What `decode_square` does with these arguments, as the manifest says it."""
    if size < 1:
        raise InputError(f"--size must be at least 1; got {size}")
    return {"crop": crop or "largest square", "size": size, "resampling": "bilinear"}


def decode_square(
    content: bytes, name: str, *, crop: int | None, size: int, expected: tuple[int, int] | None = None
) -> np.ndarray:
    """The centre of an image as RGB bytes (size, size, 3).

    Args:
        content: a file in any format that Pillow reads.
        name: for messages.
        crop: side of the square cut from the centre, in pixels; None takes the largest.
        size: side of the result, in pixels; bilinear, smoothed where it shrinks.
        expected: width and height that the image must have.

    The image decoder runs outside Python's lock: threads make use of all cores.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image that can be read" if isinstance(error, Image.UnidentifiedImageError) else error
        raise UnreadableImage(f"{name}: {reason}") from None
    width, height = rgb.size
    if expected is not None and rgb.size != expected:
        raise UnreadableImage(f"{name}: must be {expected[0]}x{expected[1]} pixels, and is {width}x{height}")
    side = min(width, height) if crop is None else crop
    if side > min(width, height):
        raise UnreadableImage(f"{name}: is {width}x{height} pixels, too small for a crop of {side}x{side}")
    left, top = (width - side) // 2, (height - side) // 2
    square = rgb.crop((left, top, left + side, top + side))
    if side != size:
        square = square.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square)
