"""The compiler's estimate of a step, read from the text of a program."""

import shutil
from pathlib import Path

import pytest

from fastrrae.plan.step_estimate import OTHER, PARTS, estimate_step
from fastrrae.plan.tpu_schedules import read_kernel

DUMP = Path(__file__).parent / "data" / "small-final_bundles.txt"

PROGRAM = """
ENTRY %main (x: f32[8,128]) -> f32[8,128] {
  %x = f32[8,128]{1,0} parameter(0)
  %fusion.1 = f32[8,128] fusion(%x), metadata={op_name="jit(step)/jvp(encoder)/dot"}, backend_config={"estimated_cycles":"10"}
  %small.1 = f32[8,128] custom-call(%x), custom_call_target="tpu_custom_call", metadata={op_name="step/svd_of_batch/small"}
  %fusion.2 = f32[8,128] fusion(%x), metadata={op_name="step/transpose(jvp(svd_of_batch))/dot"}, backend_config={"estimated_cycles":"20"}
  %convert.3 = f32[8,128] convert(%x), metadata={op_name="jit(step)/jvp(decoder)/dot"}, backend_config={"estimated_cycles":"40"}
  %fusion.4 = f32[8,128] fusion(%x), metadata={op_name="jit(step)/optimiser/add"}, backend_config={"estimated_cycles":"80"}
  ROOT %copy.5 = f32[8,128] copy(%x), backend_config={"estimated_cycles":"160"}
}
"""  # noqa: E501
CLOCK, EXCHANGE = 1e6, 0.25


@pytest.fixture
def schedules(tmp_path):
    shutil.copy(DUMP, tmp_path / "123-small.1-01-final_bundles.txt")
    shutil.copy(DUMP, tmp_path / "123-fusion.1-01-final_bundles.txt")  # has an estimate, which counts memory
    return tmp_path


def test_cycles_are_estimates_and_those_of_kernels_are_scheduled(schedules):
    estimate = estimate_step(PROGRAM, schedules, CLOCK, EXCHANGE, (12, 3, True))
    svd = 20 + read_kernel(DUMP.read_text()).cycles()
    assert tuple(estimate.cycles) == (*PARTS, OTHER)
    assert list(estimate.cycles.values()) == [10, svd, 40, 0, 80, 160]
    assert estimate.seconds == pytest.approx((290 + svd) / CLOCK + EXCHANGE)
    assert estimate.svd_share == pytest.approx(svd / CLOCK / estimate.seconds)
    assert estimate.as_json()["kernels_scheduled"]


@pytest.mark.parametrize("folder", [None, "empty"])
def test_without_schedules_the_kernels_are_said_to_be_missing(folder, tmp_path):
    estimate = estimate_step(PROGRAM, None if folder is None else tmp_path, CLOCK, EXCHANGE, (12, 3, False))
    assert not estimate.kernels_scheduled
    assert estimate.svd_share is None
    assert sum(estimate.cycles.values()) == 310
    without_kernels = estimate_step(PROGRAM.replace("tpu_custom_call", "x"), None, CLOCK, EXCHANGE, (12, 3, False))
    assert without_kernels.kernels_scheduled  # an autoencoder without an SVD lacks nothing
