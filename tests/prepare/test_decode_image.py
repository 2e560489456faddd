"""What becomes of an image: upright, in range, with its transparency, or a message."""

import io

import numpy as np
import pytest
from PIL import Image

from fastrrae.prepare import UnreadableImage
from fastrrae.prepare.decode_image import decode_square

RNG = np.random.default_rng(0)
UPRIGHT = RNG.integers(0, 256, (6, 6, 3), np.uint8)


def encoded(image, kind="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def decoded(content, size=6, **options):
    return decode_square(content, "it", crop=None, size=size, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(orientation):
    """What a camera stores, so that the view of it by EXIF orientation is UPRIGHT."""
    stored = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: UPRIGHT[::-1, ::-1],
        4: UPRIGHT[::-1],
        5: UPRIGHT.swapaxes(0, 1),
        6: np.rot90(UPRIGHT, 1),
        7: UPRIGHT[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(UPRIGHT, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decoded(encoded(np.ascontiguousarray(stored), exif=exif)), UPRIGHT)


RAMP = np.arange(36, dtype=np.uint16).reshape(6, 6) * 1872  # 0 to 65520
IN_BYTES = np.rint(RAMP / 257)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits_keeps_its_range(kind):
    np.testing.assert_array_equal(decoded(encoded(RAMP, kind))[..., 0], IN_BYTES)


def test_floats_from_0_to_1_become_bytes():
    floats = (RAMP / 65535).astype(np.float32)
    np.testing.assert_allclose(decoded(encoded(floats, "TIFF"))[..., 1], RAMP / 257, atol=0.51)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (RAMP.astype(np.float32), "its floats are from 0 to 65520"),
        (np.full((6, 6), np.nan, np.float32), "its floats are from nan"),
        (RAMP.astype(np.int32) * 1000, "its integers are from 0 to 65520000, and must be of 16 bits"),
    ],
)
def test_numbers_of_unknown_range_are_refused(values, message):
    with pytest.raises(UnreadableImage, match=message):
        decoded(encoded(values, "TIFF"))


@pytest.mark.parametrize(("background", "value"), [("white", 255), ("black", 0)])
def test_hidden_colours_do_not_come_through(background, value):
    image = np.dstack([UPRIGHT, np.full((6, 6), 255, np.uint8)])
    image[:3, :, 3] = 0
    image[3, :, 3] = 128
    out = decoded(encoded(image), background=background)
    np.testing.assert_array_equal(out[:3], value)
    np.testing.assert_array_equal(out[4:], UPRIGHT[4:])
    np.testing.assert_allclose(out[3], (UPRIGHT[3] * 128.0 + value * 127) / 255, atol=1)


def test_transparent_palettes_and_grey():
    palette = Image.fromarray(np.arange(36, dtype=np.uint8).reshape(6, 6) % 2, "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    np.testing.assert_array_equal(decoded(encoded(palette))[0, :2], [[10, 20, 30], [200, 100, 50]])
    np.testing.assert_array_equal(decoded(encoded(palette, transparency=0))[0, :2], [[255] * 3, [200, 100, 50]])
    grey = np.dstack([UPRIGHT[..., 0], np.zeros((6, 6), np.uint8)])
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(grey, "LA"))), 255)


def test_cmyk_by_the_plain_formula():
    cmyk = np.dstack([UPRIGHT, np.full((6, 6), 51, np.uint8)])
    expected = (255 - UPRIGHT.astype(float)) * (255 - 51) / 255
    out = decoded(encoded(Image.fromarray(cmyk, "CMYK"), "TIFF"))
    np.testing.assert_allclose(out, expected, atol=2)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_damaged_byte_of_a_tiff_is_an_image_or_a_message():
    content = encoded(UPRIGHT, "TIFF", compression="tiff_lzw")
    messages = []
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0xFF
        try:
            assert decoded(bytes(changed)).shape == (6, 6, 3)
        except UnreadableImage as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith("it: ") and "\n" not in message for message in messages)
