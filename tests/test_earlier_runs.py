"""Run folders of version 0.1 open, and continue, with this version."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastrrae import GMMDAE, VRRAE, InputError, RunConfig, RunFolder, load_dataset, load_run, train
from fastrrae.run_config import decode_config, encode_config, load_config


@pytest.fixture
def earlier(tmp_path):
    """Two runs of six steps on digits: a VRRAE with an adaptive rank, and a GMM-DAE with an aligned prior."""
    with zipfile.ZipFile(Path(__file__).parent / "runs-of-version-0.1.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_their_configurations_mean_the_same(earlier):
    vrrae, gmm_dae = (load_config(earlier / name / "config.json") for name in ("vrrae", "gmm-dae"))
    assert vrrae.model == VRRAE(
        rank=3, latent_size=5, adaptive_rank=True, rank_window=2, rank_patience=1, bounded_variance=False
    )
    assert gmm_dae.model == GMMDAE(rank=3, components=2, align_after=0.5)
    assert vrrae.objective.weights == {"kl": 1e-3}
    assert gmm_dae.objective.weights == {"mixture_distance": 5.0}
    assert vrrae.network.encoder_widths == gmm_dae.network.decoder_widths == (4,)
    assert (vrrae.training.steps, vrrae.training.optimiser, vrrae.data.source) == (6, "adabelief", "digits")
    assert decode_config(json.loads(json.dumps(encode_config(vrrae)))) == vrrae


def test_variances_of_format_2_have_no_bound_unless_it_says_so():
    values = json.loads(json.dumps(encode_config(RunConfig("digits", model=VRRAE(rank=3)))))
    assert decode_config(values).model == VRRAE(rank=3)
    del values["model"]["bounded_variance"]
    assert decode_config({**values, "format": 2}).model == VRRAE(rank=3, bounded_variance=False)
    for bounded in (True, False):
        model = {**values["model"], "bounded_variance": bounded}
        assert decode_config({**values, "format": 2, "model": model}).model == VRRAE(rank=3, bounded_variance=bounded)


@pytest.mark.parametrize(
    ("name", "total", "first"), [("vrrae", -5657.0835, -0.14789332), ("gmm-dae", 1319.2397, 4.0323515)]
)
def test_they_open_and_reconstruct_as_they_did(earlier, name, total, first):
    run = load_run(earlier / name)
    np.testing.assert_allclose(run.reconstruct(run.examples).sum(), total, rtol=1e-4)
    np.testing.assert_allclose(run.coefficients(run.examples)[0, 0], first, rtol=1e-4)
    assert run.folder.differences(load_dataset(run.config.data)) == []


def forget_the_end(folder):
    """Take a finished run back to its third step."""
    folder.summary.unlink()
    shutil.rmtree(folder.checkpoints / "6")


def test_they_continue_from_their_checkpoints(earlier):
    """Its last half taken again by this version, a run ends as it did, to rounding: the machine is another."""
    folder = RunFolder(earlier / "gmm-dae")
    before = load_run(folder.root)
    config = folder.load_config()
    expected = before.reconstruct(before.examples)
    forget_the_end(folder)
    train(config, load_dataset(config.data), folder, resume=True)
    again = load_run(folder.root)
    np.testing.assert_allclose(
        again.reconstruct(before.examples), expected, rtol=0.02, atol=0.02 * np.abs(expected).max()
    )


def test_a_search_for_a_rank_is_not_continued(earlier):
    folder = RunFolder(earlier / "vrrae")
    forget_the_end(folder)
    config = folder.load_config()
    with pytest.raises(InputError, match=r"a search for a rank of version 0\.1, which this version cannot continue"):
        train(config, load_dataset(config.data), folder, resume=True)


def test_what_is_no_configuration_says_so(earlier):
    path = earlier / "vrrae" / "config.json"
    good = json.loads(path.read_text())
    for change, message in (
        ({"model": {**good["model"], "rank": "three"}}, "`model.rank` must be an integer, at least 1; got 'three'"),
        ({"training": {**good["training"], "batch_size": 1.5}}, "`training.batch_size` must be an integer"),
        ({"data": {**good["data"], "sauce": "digits"}}, "`data` has unknown fields: sauce; known are source,"),
        ({"model": {"model": "unheard"}}, "it lacks what configurations of version 0.1 have"),
        ({"format": 99}, "its format is 99, and this version reads 3"),
    ):
        path.write_text(json.dumps({**good, **change}))
        with pytest.raises(InputError) as error:
            load_config(path)
        assert message in str(error.value)
        assert str(path) in str(error.value)
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match="is damaged: it is not JSON"):
        load_config(path)


def test_they_keep_no_parameters(earlier):
    run = load_run(earlier / "vrrae")
    assert run.training_parameters is None
    assert run.parameter_names == ()
    with pytest.raises(InputError, match="a surrogate needs the parameters of the training samples, and the run in"):
        run.surrogate()
    count = len(run.training_coefficients)
    given = run.surrogate("linear", parameters=np.linspace(0, 1, count)).predict([0.5])
    np.testing.assert_allclose(given.shape, (1, *run.sample_shape))
