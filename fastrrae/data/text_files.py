"""Text files in any Unicode encoding, and file names that can be printed anywhere."""

import codecs
from pathlib import Path

from ..errors import InputError

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without a byte-order mark, or in UTF-16 (as spreadsheets export it)."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if encoding is None:
        # UTF-16 without its mark: every second byte of Western text is zero.
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be" if content[:1] == b"\0" else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8 or UTF-16: {error}. Save it as UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path} is damaged or not a text file: it has zero bytes in it")
    return text


def printable(name: str) -> str:
    """A file name as it can be printed anywhere: bytes that are not UTF-8 are shown as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
