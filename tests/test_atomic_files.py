"""Files that are there whole or not at all."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastrrae.atomic_files import replacing, write_json, write_text


def test_a_file_is_replaced_at_the_end_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "first ü")
    with pytest.raises(RuntimeError), replacing(path) as file:  # noqa: PT012
        file.write(b"second")
        assert path.read_text(encoding="utf-8") == "first ü"
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "first ü"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_many_writers_of_one_file(tmp_path):
    path = tmp_path / "a.bin"

    def write(number):
        with replacing(path) as file:
            for _ in range(20):
                file.write(bytes([number]) * 1000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    content = path.read_bytes()
    assert len(content) == 20_000
    assert len(set(content)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_numbers_that_are_not_finite(tmp_path):
    path = tmp_path / "a.json"
    values = {
        "a": np.nan,
        "b": [np.inf, 1.5, (2, -np.inf)],
        "c": np.float32(3),
        "d": {"e": np.float64("nan")},
        "f": None,
    }
    write_json(path, values)
    text = path.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    expected = {"a": None, "b": [None, 1.5, [2, None]], "c": 3, "d": {"e": None}, "f": None}
    assert json.loads(text) == expected
