"""Cycles from a dump of the TPU compiler (libtpu 0.0.52): of a kernel with loops that are known, and one that is not.

The kernel, on one register x: sixteen times, five times x = x / 2 + 1, then minus the old x; then x / 2 while it is
larger than one.
"""

import re
import shutil
from pathlib import Path

import pytest

from fastrrae.plan.tpu_schedules import program_parts, read_kernel

DUMP = Path(__file__).parent / "data" / "small-final_bundles.txt"
INNER, OUTER, WHILE = 4, 10, 13  # bundles of each loop, counted by hand


def test_bundles_count_as_often_as_their_loops_run():
    kernel = read_kernel(DUMP.read_text())
    bundles = len(re.findall(r"^ *(0x[0-9a-f]+|0) .*\{", DUMP.read_text(), flags=re.MULTILINE))
    assert len(kernel.bundles) == bundles
    assert {(loop.last - loop.first + 1, loop.trips) for loop in kernel.loops} == {
        (INNER, 5),
        (OUTER, 16),
        (WHILE, None),
    }
    known = bundles + 15 * (OUTER - INNER) + 79 * INNER
    assert kernel.cycles() == known
    assert kernel.cycles(trips=7) == known + 6 * WHILE


def test_a_loop_over_blocks_runs_as_often_as_there_are_blocks():
    """Five blocks of 8 x 128, seven times x / 2 + 1; its loop runs seven times, and does nothing in two of them."""
    kernel = read_kernel((DUMP.parent / "blocks-final_bundles.txt").read_text())
    inner, outer = sorted(kernel.loops, key=lambda loop: loop.last - loop.first)
    assert (inner.trips, outer.trips) == (7, 5)


HLO = """
%body (x: f32[8,128]) -> f32[8,128] {
  %x = f32[8,128]{1,0} parameter(0)
  ROOT %small.7 = f32[8,128]{1,0} custom-call(%x), custom_call_target="t", metadata={op_name="f/repeat/body/small"}
}

%condition (x: f32[8,128]) -> pred[] {
  %x.1 = f32[8,128]{1,0} parameter(0)
  ROOT %copy.3 = pred[] copy(%x.1), backend_config={"estimated_cycles":"20"}
}

%same (x: f32[8,128]) -> f32[8,128] {
  ROOT %x.2 = f32[8,128]{1,0} parameter(0)
}

ENTRY %main (x: f32[8,128]) -> f32[8,128] {
  %x.3 = f32[8,128]{1,0} parameter(0)
  %small.1 = f32[8,128]{1,0} custom-call(%x.3), custom_call_target="t", metadata={op_name="f/small"}
  %while.1 = f32[8,128] while(%small.1), condition=%condition, body=%body, metadata={op_name="f/repeat/while"}
  ROOT %if.1 = f32[8] conditional(%p, %x, %x), branch_computations={%same, %body}, metadata={op_name="f/perhaps"}
}
"""


@pytest.fixture
def folder(tmp_path):
    """What a compiler leaves of a program in which one operation occurs three times: it is compiled once."""
    shutil.copy(DUMP, tmp_path / "123-small.1-01-final_bundles.txt")
    (tmp_path / "123-small.1-00-schedule-analysis_final_bundles.txt").write_text("not a schedule")
    return tmp_path


def test_loops_and_conditions_of_a_program_are_counted_by_the_names_of_their_scopes(folder):
    parts = program_parts(HLO, folder, {"repeat": 6, "perhaps": 0.25, "repeat/small": 3})
    kernel = read_kernel(DUMP.read_text())
    found = [(part.name, part.scope, part.times, part.cycles, part.scheduled) for part in parts]
    once, of_three = kernel.cycles(), kernel.cycles(trips=3)
    assert ("small", "", 1, once, True) in found
    assert ("small", "repeat", 6, 6 * of_three, True) in found
    assert ("small", "repeat", 0.25, 0.25 * of_three, True) in found
    assert ("copy", "", 6, 120, False) in found
    assert len(found) == 4


def test_what_is_not_counted_runs_once(folder):
    parts = program_parts(HLO, folder, {})
    assert [part.times for part in parts] == [1, 1, 1, 1]
    assert sum(part.cycles for part in parts if part.scheduled) == 3 * read_kernel(DUMP.read_text()).cycles()
