"""Which software and hardware produced a result."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax

_PACKAGES = ("fastrrae", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Versions of Python and of the packages that matter, and the devices in use, as JSON values."""
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "devices": [device.device_kind for device in jax.devices()],
        "platform": jax.default_backend(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


__version__ = _version("fastrrae")
