"""What ``make package`` builds: it holds the package alone, and runs where nothing of this checkout is."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gluon_yolo._version import __version__

pytest.importorskip("build", reason="package build is not installed: make setup")
pytest.importorskip("pip", reason="this environment has no pip")

ROOT = Path(__file__).resolve().parents[1]
NAME = f"gluon_yolo-{__version__}"
WHEEL = f"{NAME}-py3-none-any.whl"
NO_SOURCES = ("*.egg-info", "__pycache__", "build", "dist", "runs", "shared", "site")


def run(*words: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program without anything of this checkout on Python's path, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build in a copy of the checkout, and return that copy.

    Its ``dist`` holds the source distribution and the wheel made from it; ``direct`` the wheel made without.
    """
    copy = tmp_path_factory.mktemp("package") / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", *NO_SOURCES))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", cwd=copy)
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "direct", cwd=copy)
    return copy


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return built / "dist" / WHEEL


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment that holds the wheel and nothing else."""
    place = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(place, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=place)
    return place / "bin"


@pytest.fixture
def complete(installed: Path) -> Iterator[Path]:
    """Return the same, with the packages of this environment behind its own: nothing is fetched."""
    (library,) = installed.parent.glob("lib/python*/site-packages")
    paths = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    link = library / "packages.pth"
    link.write_text("".join(f"{path}\n" for path in paths))
    yield installed
    link.unlink()


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "gluon_yolo").rglob("*.py")}
    metadata = {name for name in names if name.startswith(f"{NAME}.dist-info/")}
    page = {f"gluon_yolo/report/page.{kind}" for kind in ("css", "html", "js")}
    assert names - metadata == modules | page | {"gluon_yolo/py.typed"}
    assert f"{NAME}.dist-info/licenses/LICENSE" in metadata


def test_the_checkout_and_the_source_distribution_give_the_same_wheel(built: Path) -> None:
    """So that what the other tests say of one of them is true of both."""
    hashes = []
    for place in ("dist", "direct"):
        record = zipfile.ZipFile(built / place / WHEEL).read(f"{NAME}.dist-info/RECORD")
        hashes.append(sorted(record.decode().splitlines()))
    assert hashes[0] == hashes[1]


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    said = email.message_from_bytes(zipfile.ZipFile(wheel).read(f"{NAME}.dist-info/METADATA"))
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Author"] == "gluon_yolo contributors"
    assert said["Requires-Python"] == ">=3.9"
    assert not said.get_all("Project-URL") and not said["Home-page"]
    versions = [line.split(" :: ")[-1] for line in said.get_all("Classifier") or () if ":: Python ::" in line]
    assert versions == ["3", "Only", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
    extras = {"cpu", "gpu", "torch", "runtimes", "report", "tensorboard", "hub", "dev", "docs"}
    assert extras == set(said.get_all("Provides-Extra") or ())


def test_the_source_distribution_is_the_whole_project(built: Path) -> None:
    with tarfile.open(built / "dist" / f"{NAME}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    top = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "train_yolo3_mobilenet.py", "docs/export.md"}
    assert here | top | {"requirements.txt", "gluon_yolo/py.typed", "deploy/build.sh"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".", "runs/"))]


def test_it_says_what_is_missing_where_nothing_else_is_installed(installed: Path, tmp_path: Path) -> None:
    assert "gluon-yolo train" in run(installed / "gluon-yolo", "--help", cwd=tmp_path).stdout
    done = run(installed / "gluon-yolo", "synth", "shapes", cwd=tmp_path, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: "), done.stderr
    assert "is not installed: pip install" in done.stderr and "Traceback" not in done.stderr


def test_it_runs_outside_of_the_checkout(complete: Path, tmp_path: Path) -> None:
    program = complete / "gluon-yolo"
    assert run(program, "--version", cwd=tmp_path).stdout.split() == ["gluon_yolo", __version__]
    where = run(complete / "python", "-c", "import gluon_yolo; print(gluon_yolo.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(complete.parent)
    run(program, "synth", "shapes", "--pictures", "5", cwd=tmp_path)
    assert len(list((tmp_path / "shapes" / "JPEGImages").iterdir())) == 5


def test_doctor_runs_outside_of_the_checkout(complete: Path, tmp_path: Path) -> None:
    said = run(complete / "gluon-yolo", "doctor", cwd=tmp_path, check=False).stdout
    assert said.startswith(f"gluon_yolo {__version__}, Python ")
    assert said.splitlines()[-1].startswith("verdict: ")
