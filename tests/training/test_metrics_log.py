"""The log of a run: one sequence, in one file or in several."""

import pytest

from fastrrae.training import metrics_log
from fastrrae.training.metrics_log import MetricsLog, join, parts_of, read_metrics


def rows(first, last):
    return [{"step": step, "loss": 1 / step, "steps_per_second": 0.5} for step in range(first, last + 1)]


def write(path, *, first, last, after_step=0, in_parts=True):
    log = MetricsLog(path, after_step=after_step, in_parts=in_parts)
    for row in rows(first, last):
        log.write(row)
    log.close()


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_log, "PART_BYTES", 300)
    return tmp_path / "metrics.jsonl"


def test_parts_are_one_sequence(path):
    write(path, first=1, last=40)
    assert len(parts_of(path)) > 5
    assert all(0 < part.stat().st_size <= 300 for part in parts_of(path))
    assert read_metrics(path) == rows(1, 40)
    text = "".join(part.read_text() for part in parts_of(path))
    join(path)
    assert parts_of(path) == [path]
    assert path.read_text() == text
    write(path.with_name("whole"), first=1, last=40, in_parts=False)
    assert path.with_name("whole").read_text() == text


@pytest.mark.parametrize("after_step", [0, 3, 17, 40])
def test_a_resumed_log_goes_on_after_its_checkpoint(path, after_step):
    write(path, first=1, last=40)
    untouched = {part: part.stat().st_mtime_ns for part in parts_of(path)}
    write(path, first=after_step + 1, last=44, after_step=after_step)
    assert read_metrics(path) == rows(1, 44)
    changed = [part for part in parts_of(path) if part.stat().st_mtime_ns != untouched.get(part)]
    assert changed == parts_of(path)[-len(changed) :]  # those before the checkpoint are not sent again


def test_kills_in_a_line_and_between_parts_lose_nothing_else(path):
    write(path, first=1, last=40)
    *_, last = parts_of(path)
    last.write_text(last.read_text()[:-5])
    assert read_metrics(path) == rows(1, 39)
    whole = "".join(part.read_text() for part in parts_of(path)[:-1])
    path.write_text(whole)  # joined, but the other parts are still there
    assert read_metrics(path) == rows(1, 39)
    log = MetricsLog(path, after_step=30, in_parts=True)
    log.write({"step": 31, "loss": 0.0})
    log.close()
    assert read_metrics(path) == [*rows(1, 30), {"step": 31, "loss": 0.0}]
