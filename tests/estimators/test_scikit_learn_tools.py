"""The tools of scikit-learn take the estimators: grid searches, pipelines, clones, pickles, data frames, workers."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastrrae.sklearn import PCA, RRAE, VRRAE, TruncatedSVD

ROOT = Path(__file__).parents[2]


def test_a_grid_search(small, table):
    search = GridSearchCV(RRAE(random_state=0, **small | {"learning_rate": 1e-2, "steps": 100}), {"rank": [1, 2]}, cv=3)
    search.fit(table)
    assert search.best_params_ == {"rank": 2}
    assert search.best_estimator_.transform(table).shape == (100, 2)


def test_a_pipeline(small, table):
    pipeline: Any = make_pipeline(StandardScaler(), VRRAE(random_state=0, normalise="none", **small)).fit(table)
    assert pipeline.transform(table).shape == (100, 2)
    assert pipeline.inverse_transform(pipeline.transform(table)).shape == table.shape
    assert np.isfinite(pipeline.score(table))
    assert list(pipeline.get_feature_names_out()) == ["vrrae0", "vrrae1"]


def test_a_clone_has_the_parameters_and_nothing_else(fitted):
    copy: Any = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "components_")


@pytest.mark.parametrize("estimator", [VRRAE(), PCA(2), TruncatedSVD(2)])
def test_a_pickle_gives_the_same_coefficients(estimator, small, table):
    if isinstance(estimator, VRRAE):
        estimator.set_params(random_state=0, **small)
    estimator.fit(table).sample(3)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.transform(table), estimator.transform(table))
    np.testing.assert_array_equal(again.sample(3, random_state=0), estimator.sample(3, random_state=0))


def test_data_frames(fitted, table):
    frame = pd.DataFrame(table, columns=[f"x{i}" for i in range(6)], index=range(1, 101))
    model = RRAE(**fitted.get_params()).set_output(transform="pandas").fit(frame)
    coefficients = model.transform(frame)
    assert list(coefficients.columns) == ["rrae0", "rrae1"]
    assert list(coefficients.index) == list(range(1, 101))
    assert list(model.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(coefficients, fitted.transform(table))
    assert model.inverse_transform(coefficients).shape == table.shape


WORKERS = """
import numpy as np
from sklearn.model_selection import cross_val_score
from fastrrae.sklearn import RRAE

x = np.random.default_rng(0).standard_normal((60, 3))
model = RRAE(latent_size=4, encoder_widths=(4,), decoder_widths=(4,), batch_size=8, steps=5, random_state=0)
alone, shared = (cross_val_score(model, x, cv=3, n_jobs=jobs) for jobs in (1, 2))
np.testing.assert_allclose(alone, shared, rtol=1e-4)
"""


@pytest.mark.slow
def test_worker_processes_give_the_same_scores():
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", WORKERS], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_is_imported_without_scikit_learn():
    program = "import sys, fastrrae; sys.exit('sklearn' in sys.modules or 'fastrrae.sklearn' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
