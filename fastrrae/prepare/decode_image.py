"""From an encoded image to the bytes of a sample."""

import io
from typing import Any, Literal

import numpy as np
from PIL import ExifTags, Image

from ..errors import InputError, first_line
from .collection import UnreadableImage

Background = Literal["white", "black"]

_Transpose = Image.Transpose
_UPRIGHT = {  # by EXIF orientation
    2: _Transpose.FLIP_LEFT_RIGHT,
    3: _Transpose.ROTATE_180,
    4: _Transpose.FLIP_TOP_BOTTOM,
    5: _Transpose.TRANSPOSE,
    6: _Transpose.ROTATE_270,
    7: _Transpose.TRANSVERSE,
    8: _Transpose.ROTATE_90,
}


def describe_square(crop: int | None, size: int) -> dict[str, Any]:
    """What `decode_square` does with these arguments, as the manifest says it."""
    if size < 1:
        raise InputError(f"`size` must be at least 1; got {size}")
    return {"crop": crop or "largest square", "size": size, "resampling": "bilinear"}


def decode_square(
    content: bytes,
    name: str,
    *,
    crop: int | None,
    size: int,
    expected: tuple[int, int] | None = None,
    background: Background = "white",
) -> np.ndarray:
    """The centre of an image as RGB bytes (size, size, 3), upright as a viewer shows it.

    EXIF orientation is applied. 16-bit grey from 0 to 65535, and floats from 0 to 1, become 0 to 255. Transparent
    pixels are laid over `background`, and hidden colours under them do not show. CMYK becomes RGB by the plain formula,
    without a colour profile. Of several frames or pages the first is taken.

    Args:
        content: a file in any format that Pillow reads.
        name: for messages.
        crop: side of the square cut from the centre, in pixels; None takes the largest.
        size: side of the result, in pixels; bilinear, smoothed where it shrinks.
        expected: width and height that the image must have.
        background: what lies behind transparent pixels.

    Raises:
        UnreadableImage: the content is damaged, too small, or numbers whose range is not known.

    The image decoder runs outside Python's lock: threads make use of all cores.
    """
    rgb = _decode(content, name, background)
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


def _decode(content: bytes, name: str, background: Background) -> Image.Image:
    """The whole image as RGB, upright."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return _as_rgb(_upright(image), background)
    except UnreadableImage as error:
        raise UnreadableImage(f"{name}: {error}") from None
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        unknown = isinstance(error, Image.UnidentifiedImageError)
        reason = "not an image that can be read" if unknown else str(error) and first_line(error)
        raise UnreadableImage(f"{name}: {reason or type(error).__name__}") from None


def _upright(image: Image.Image) -> Image.Image:
    try:
        transposition = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the EXIF data can be damaged where the image is whole
        transposition = None
    return image if transposition is None else image.transpose(transposition)


def _as_rgb(image: Image.Image, background: Background) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        image = _grey_bytes(np.asarray(image))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        opaque = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, background), opaque).convert("RGB")
    return image.convert("RGB")


def _grey_bytes(values: np.ndarray) -> Image.Image:
    """Integers of 16 bits, or floats from 0 to 1, as bytes."""
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise UnreadableImage(f"its floats are from {low:g} to {high:g}, and must be from 0 (black) to 1 (white)")
        return Image.fromarray(np.rint(values * 255.0).astype(np.uint8))
    if low < 0 or high > 65535:
        raise UnreadableImage(f"its integers are from {low} to {high}, and must be of 16 bits: 0 (black) to 65535")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
