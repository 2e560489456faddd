"""Threads of LAPACK's library on a CPU: they sleep soon after they have nothing to do.

XLA calls LAPACK in SciPy's copy of OpenBLAS. Its threads wait for more work in a busy loop of about 40 ms after every
call that used them, such as the eigenvectors of a 64 x 64 matrix, and the products that follow get what they leave of
the processor: on 2 cores they take up to twice as long. OpenBLAS reads the variable when it is loaded. JAX
loads it before its first decomposition, not when it is imported.
"""

import os

# The busy loop takes 2 to this power processor cycles, here 0.1 ms: longer than the pauses within a decomposition. With
# the shortest loop (4) threads are woken again and again, and the eigenvectors of a 512 x 512 matrix take 1.4 to 1.6
# times as long on two cores.
VARIABLE, SHORT = "OPENBLAS_THREAD_TIMEOUT", "18"


def sleep_when_idle() -> None:
    """Set the variable for this process and those that it starts, unless the user has."""
    os.environ.setdefault(VARIABLE, SHORT)
