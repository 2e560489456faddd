"""Threads of LAPACK's library on a CPU: they sleep as soon as they have nothing to do.

XLA calls LAPACK in SciPy's copy of OpenBLAS. Its threads wait for more work in a busy loop of about 40 ms after every
call that used them, such as the eigenvectors of a 64 x 64 matrix, and the products that follow get what they leave of
the processor: on 2 cores they take up to twice as long. OpenBLAS reads the variable when it is loaded. JAX
loads it before its first decomposition, not when it is imported.
"""

import os

VARIABLE, SHORTEST = "OPENBLAS_THREAD_TIMEOUT", "4"  # the busy loop takes 2 to this power processor cycles


def sleep_when_idle() -> None:
    """Set the variable for this process and those that it starts, unless the user has."""
    os.environ.setdefault(VARIABLE, SHORTEST)
