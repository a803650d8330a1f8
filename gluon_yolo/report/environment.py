"""Environment of a report: the versions of packages, and the machine."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence

from gluon_yolo._version import __version__
from gluon_yolo.report.page import Facts, Section
from gluon_yolo.system import cpu, memory
from gluon_yolo.system.instructions import processor_name

_PACKAGES = ("mxnet", "mxnet-cu112", "torch", "gluoncv", "numpy", "opencv-python", "pycocotools", "bokeh")


def environment_section(devices: Sequence[str] = (), engine: str = "") -> Section:
    """Return the section of the present environment. No package is imported for it.

    Args:
        devices: that the training uses; empty where none trains.
        engine: what computes the training.
    """
    rows: list[tuple[str, object]] = [
        ("gluon_yolo", __version__),
        ("Python", platform.python_version()),
        ("system", platform.platform()),
        ("processor", processor_name()),
        ("cores", str(cpu.look())),
    ]
    free = memory.look()
    if free is not None:
        rows.append(("memory left", str(free)))
    if devices:
        rows.append(("devices", ", ".join(devices)))
    if engine:
        rows.append(("engine", engine))
    rows += [(name, version) for name in _PACKAGES if (version := _version(name))]
    return Section("environment", "Environment", [Facts(rows)])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
