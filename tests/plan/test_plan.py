"""Plans: what is read from compiled programs, and real compilations for slices that are not there."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from fastrrae import InputError
from fastrrae.chips import CHIPS
from fastrrae.cli import run_command
from fastrrae.plan import StepPlan, Topology, largest_batch, plan_step, scaling_series
from fastrrae.plan.collectives import Collective, collectives_of
from fastrrae.plan.plan import TrainingSet, _too_large
from fastrrae.recipes import RECIPES

needs_the_tpu_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler is in the wheel `libtpu`"
)

PROGRAM = """
  %all-reduce.5 = f32[512,512]{1,0:T(8,128)} all-reduce(%fusion), metadata={op_name="jit(step)/svd_of_batch/psum"}
  %ar = (bf16[4]{0}, f32[2,3]{1,0}) all-reduce-start(%a, %b), channel_id=1
  %done = (bf16[4]{0}, f32[2,3]{1,0}) all-reduce-done(%ar)
  ROOT %g = f32[] all-gather(%c), dimensions={0}
  %send = (f32[32,8,128]{2,1,0:T(8,128)}, u32[]{:S(2)}, token[]) send(%bitcast, %after-all), channel_id=2, \
is_host_transfer=true, frontend_attributes={_xla_megascale_transfer_type="ALL_REDUCE"}, \
metadata={op_name="jit(step)/svd_of_batch/psum"}
  %n = f32[9]{0} fusion(%all-reduce.5), calls=%computation
"""


def test_collectives_are_read_from_a_program():
    assert collectives_of(PROGRAM) == [
        Collective("all-reduce", ((512, 512),), 4 * 512 * 512, False, "jit(step)/svd_of_batch/psum"),
        Collective("all-reduce", ((32, 8, 128),), 4 * 32 * 8 * 128, True, "jit(step)/svd_of_batch/psum"),
        Collective("all-reduce", ((4,), (2, 3)), 8 + 24),
        Collective("all-gather", ((),), 4),
    ]


SHARDED_STATE = """
%all-reduce-scatter.2 (input_0: f32[512,256]) -> f32[64,256] {
  %all-reduce.18 = f32[512,256]{1,0} all-reduce(%input_0), channel_id=3, replica_groups={{0,1,2,3,4,5,6,7}}
}

%fused_computation.1 (param_0: f32[12,64]) -> f32[96,64] {
  ROOT %all-gather.1 = f32[96,64]{1,0} all-gather(%param_0), channel_id=12, dimensions={0}
}

ENTRY %main (param: f32[12,64]) -> f32[96,64] {
  %all-gather.2 = f32[96,64]{1,0:S(1)} all-gather(%param_0), channel_id=12, dimensions={0}
  %listed = f32[256,64]{0,1} reduce-scatter(%a), channel_id=9, replica_groups={{0,1},{2,3}}, dimensions={1}
  %counted = f32[4]{0} reduce-scatter(%b), channel_id=10, replica_groups=[2,4]<=[8], dimensions={0}
  %named = f32[5]{0} reduce-scatter(%c), replica_groups=mesh['data'=8,'model'=2] {'data'}, dimensions={0}
  %sum = f32[2]{0} all-reduce(%d), channel_id=11
}
"""


def test_an_exchange_in_parts_counts_once_and_whole():
    assert [(found.kind, found.shapes, found.bytes, found.moved) for found in collectives_of(SHARDED_STATE)] == [
        ("reduce-scatter", ((512, 256),), 524288, 524288),  # a fused sum of which parts are kept
        ("reduce-scatter", ((256, 128),), 131072, 131072),
        ("all-gather", ((96, 64),), 24576, 24576),  # overlaps with two computations
        ("reduce-scatter", ((40,),), 160, 160),
        ("reduce-scatter", ((16,),), 64, 64),
        ("all-reduce", ((2,),), 8, 16),
    ]


def test_collectives_of_a_real_program():
    mesh = jax.make_mesh((8,), ("data",))
    rows = NamedSharding(mesh, P("data"))
    compiled = jax.jit(lambda x: x.T @ x, in_shardings=rows).lower(jax.ShapeDtypeStruct((16, 5), jnp.float32)).compile()
    (found,) = collectives_of(compiled.as_text() or "")
    assert (found.kind, found.shapes, found.bytes) == ("all-reduce", ((5, 5),), 100)


def test_topologies():
    assert str(Topology.parse("v4:2x2x4")) == "v4:2x2x4"
    assert Topology.parse("v5e:16x16").chips == 256
    two = Topology.parse("2xv5e:4x4")
    assert (str(two), two.chips, two.slices) == ("2xv5e:4x4", 32, 2)
    for chip in CHIPS.values():
        series = scaling_series(chip)
        assert [topology.chips for topology in series] == [8, 16, 32, 64, 128, 256]
        assert all(Topology.parse(str(topology)) == topology for topology in series)


@pytest.mark.parametrize(
    "text", ["v9:2x2", "v5e", "v5e:2x2x2", "v4:4x4", "v5e:0x4", "v5e:ax4", "v5e:2x", "0xv5e:2x4", "2x:2x4"]
)
def test_a_wrong_topology_is_one_message(text, capsys):
    assert run_command(["plan", "celeba", "--topology", text]) == 1
    printed = capsys.readouterr().err
    assert repr(text) in printed
    assert printed.count("\n") == 1


def test_the_compilers_own_word_on_memory_is_understood():
    message = "RESOURCE_EXHAUSTED: E1000: the total memory required for HLO temporaries (45.50G) exceeds available HBM"
    assert _too_large(message)["hbm_bytes"] == 45.5 * 2**30
    with pytest.raises(InputError, match="cannot compile this step: INTERNAL: what"):
        _too_large("INTERNAL: what")


def made_up_plan(batch_size, hbm_bytes):
    available = 2**34
    return StepPlan("v5e:2x4", 8, batch_size, hbm_bytes <= available, hbm_bytes, available, 0.0, 0.0, 0.0, (), {}, 1)


@pytest.mark.parametrize("fixed", [2**28, 2**33, 2**35])
@pytest.mark.parametrize("each", [2**14, 2**20, 2**27])
def test_the_search_ends_within_a_tenth_of_the_largest_batch(monkeypatch, fixed, each):
    import fastrrae.plan.plan as module

    monkeypatch.setattr(Topology, "devices", lambda self: jax.devices())
    compiled = []

    def compile_step(config, samples, topology, schedules=None):
        compiled.append(config.training.batch_size)
        batch = config.training.batch_size
        return made_up_plan(batch, fixed + each * batch + each * max(0, batch - 4096))  # a kink, as padding makes

    monkeypatch.setattr(module, "plan_step", compile_step)
    config, samples, topology = RECIPES["digits"].config, TrainingSet(1, (8, 8, 1)), Topology.parse("v5e:2x4")
    found = largest_batch(config, samples, topology, compile_step(config, samples, topology), lambda plan: None)
    fitting = [batch for batch in range(16, 2**21, 8) if made_up_plan(batch, compile_bytes(batch, fixed, each)).fits]
    if not fitting:
        assert found is None
    else:
        assert found is not None
        assert found.fits
        assert 0.9 * max(fitting) - 8 <= found.batch_size <= max(fitting)
    assert len(compiled) < 20


def compile_bytes(batch, fixed, each):
    return fixed + each * batch + each * max(0, batch - 4096)


@needs_the_tpu_compiler
@pytest.mark.parametrize("topology", ["v4:2x2x2", "v5e:2x4", "v6e:2x4"])
def test_the_real_step_is_compiled(topology, tmp_path, capsys):
    file = tmp_path / "plan.json"
    options = ["--rank", "4", "--latent-size", "24", "--no-largest-batch", "--no-schedule", "--json", str(file)]
    assert run_command(["plan", "digits", "--topology", topology, *options]) == 0
    assert f"on {topology}" in capsys.readouterr().out
    plan = json.loads(file.read_text())["plan"]
    assert plan["fits"]
    assert 0 < plan["hbm_bytes"] < plan["hbm_available"]
    assert plan["flops"] > 1e6
    gathered = [collective["shapes"] for collective in plan["collectives"] if collective["kind"] == "all-gather"]
    assert any([3, 3, 128, 64] in shapes for shapes in gathered)  # the largest weight, which lies in parts
    assert not any(24 in shape for shapes in gathered for shape in shapes)  # nothing latent
    gram, *others = (collective for collective in plan["collectives"] if collective["svd"])
    assert gram["shapes"] == [[24, 24]]
    assert all(collective["bytes"] < gram["bytes"] for collective in others)
    assert plan["seconds_per_step_at_least"] == max(plan["seconds"].values())
    assert plan["chips"] == 8
    estimate = plan["estimate"]
    assert all(cycles > 0 for cycles in estimate["cycles"].values())
    assert estimate["seconds"] > plan["seconds_per_step_at_least"]
    assert (estimate["kernels_scheduled"], estimate["svd_share"]) == (False, None)  # the schedule was not asked for


@needs_the_tpu_compiler
@pytest.mark.parametrize("topology", ["v4:2x2x2", "v5e:2x4", "v5p:2x2x4", "v6e:4x4", "2xv5e:2x4"])
def test_there_is_a_device_for_each_chip(topology):
    assert len(Topology.parse(topology).devices()) == Topology.parse(topology).chips


@pytest.mark.slow
@needs_the_tpu_compiler
def test_the_svds_kernels_are_estimated_from_the_compilers_schedule(tmp_path):
    """Runs in a separate process, because the compiler reads its flags when it is loaded."""
    command = [sys.executable, "-m", "fastrrae", "plan", "digits", "--topology", "v5e:2x4", "--no-largest-batch"]
    subprocess.run([*command, "--json", str(tmp_path / "plan.json")], check=True, capture_output=True)
    estimate = json.loads((tmp_path / "plan.json").read_text())["plan"]["estimate"]
    assert estimate["kernels_scheduled"]
    assert 0.1 < estimate["svd_share"] < 0.9
    assert estimate["cycles"]["svd_of_batch"] > 50_000  # a 32 x 32 tridiagonal form and its eigenvectors alone


@pytest.mark.slow
@needs_the_tpu_compiler
def test_several_values_are_compared(tmp_path, capsys):
    file = tmp_path / "plans.json"
    options = ["--topology", "v5e:2x2,v6e:2x2", "--precision", "float32", "bfloat16", "--no-schedule"]
    assert run_command(["plan", "digits", *options, "--json", str(file)]) == 0
    assert "digits, vrrae" in capsys.readouterr().out
    plans = json.loads(file.read_text())["comparison"]
    assert [(plan["settings"]["precision"], plan["topology"]) for plan in plans] == [
        ("float32", "v5e:2x2"),
        ("float32", "v6e:2x2"),
        ("bfloat16", "v5e:2x2"),
        ("bfloat16", "v6e:2x2"),
    ]
    assert len({plan["estimate"]["seconds"] for plan in plans}) == 4


def test_weak_scaling_is_of_one_topology(capsys):
    assert run_command(["plan", "digits", "--topology", "v5e:2x2,v5e:2x4", "--weak-scaling", "--no-schedule"]) == 1
    assert "--weak-scaling is for one topology" in capsys.readouterr().err


@pytest.mark.slow
@needs_the_tpu_compiler
def test_two_slices_exchange_no_more_than_their_sums():
    config = RECIPES["celeba"].config
    config = replace(config, training=replace(config.training, batch_size=512))
    samples = TrainingSet(162_770, (64, 64, 3))
    one, two = (plan_step(config, samples, Topology.parse(text)) for text in ("v5e:4x4", "2xv5e:4x4"))
    assert one.slice_network_bytes == 0
    # Each of 16 chips of a slice sends a sixteenth of the sums of gradients and Gram matrices, and of the weights that
    # lie in parts; small sums are not cut.
    assert 0 < two.slice_network_bytes < 1.2 * one.collective_bytes / 16 + 2**20
    assert two.svd_bytes is None  # not said by the compiler, and not made up
    assert two.seconds["communication between slices"] > 0


@pytest.mark.slow
@needs_the_tpu_compiler
def test_what_the_svd_exchanges_does_not_grow_with_the_slice():
    config = RECIPES["celeba"].config
    plans = [
        plan_step(config, TrainingSet(162_770, (64, 64, 3)), Topology.parse(text)) for text in ("v5e:2x4", "v5e:8x8")
    ]
    assert plans[0].svd_bytes == plans[1].svd_bytes
    assert (plans[0].svd_bytes or 0) > 4 * 512 * 512
    assert plans[1].collective_bytes == pytest.approx(plans[0].collective_bytes, rel=0.02)
    assert plans[1].flops < 0.5 * plans[0].flops  # all but the eigendecomposition, which every chip does


def test_without_the_compiler_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_command(["plan", "celeba", "--topology", "v5e:2x4"]) == 1
    assert 'pip install "fastrrae[tpu-aot]"' in capsys.readouterr().err
