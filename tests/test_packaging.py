"""The built wheel holds both packages, and imports without the checkout."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_imports_without_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    # Without `site`, the editable install's path file is not read: only the wheel can provide the packages.
    program = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}, {sysconfig.get_path("purelib")!r}, {sysconfig.get_path("platlib")!r}]
import fastrrae_kernels
assert not [name for name in sys.modules if name.split(".")[0] in ("flax", "fastrrae")]
import fastrrae, fastrrae.cli
print(fastrrae.__file__, fastrrae_kernels.__file__)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(tmp_path)) for path in done.stdout.split())


def test_the_wheel_holds_the_packages_alone(wheel):
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"fastrrae", "fastrrae_kernels"}


def test_the_wheel_holds_the_page_of_the_explorer(wheel):
    page = {path.name for path in (ROOT / "fastrrae" / "explore" / "page").iterdir()}
    assert {"index.html", "explorer.css", "explorer.js"} <= page
    assert {f"fastrrae/explore/page/{name}" for name in page} <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_the_wheel_installs_into_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    subprocess.run([python, "-c", "import fastrrae, fastrrae_kernels"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "venv" / "bin" / "fastrrae", "recipes"], cwd=tmp_path, check=True)
