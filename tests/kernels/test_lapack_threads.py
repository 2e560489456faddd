"""Threads of OpenBLAS do not wait in a busy loop, unless the user wants it."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
import jax
import {package}
print(os.environ["OPENBLAS_THREAD_TIMEOUT"], "scipy.linalg" in sys.modules)
"""


@pytest.mark.parametrize(
    ("package", "own"), [("fastrrae_kernels", None), ("fastrrae_kernels", "20"), ("fastrrae", None)]
)
def test_the_variable_is_set_before_the_library_is_loaded(package, own):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    environment |= {} if own is None else {"OPENBLAS_THREAD_TIMEOUT": own}
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(package=package)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.split() == [own or "18", "False"]
