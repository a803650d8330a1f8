"""Import of a runtime's package, and CPU features."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gluon_yolo.errors import MissingDependency
from gluon_yolo.inference.runtimes import base
from gluon_yolo.inference.runtimes.base import import_package

ROOT = Path(__file__).resolve().parents[3]


def test_openvino_reports_to_nobody(tmp_path):
    """Its reporter is a separate package, here one that leaves a trace; others can import it later."""
    pytest.importorskip("openvino", reason="package openvino is not installed")
    trace = tmp_path / "imported"
    (tmp_path / "openvino_telemetry").mkdir()
    (tmp_path / "openvino_telemetry" / "__init__.py").write_text(f"open({str(trace)!r}, 'w').close()")
    code = (
        "from pathlib import Path\n"
        "from gluon_yolo.inference.runtimes.base import import_package\n"
        "import_package('openvino').Core()\n"
        f"assert not Path({str(trace)!r}).exists()\n"
        "import openvino_telemetry\n"
        f"assert Path({str(trace)!r}).exists()\n"
    )
    paths = os.pathsep.join(map(str, (tmp_path, ROOT)))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": paths})


def test_a_reporter_is_hidden_by_one_thread_at_a_time():
    """Of two threads that looked at once, the later one to end had nothing to show again: a KeyError."""
    entered = threading.Event()

    def enter():
        with base._without("a_reporter"):
            assert sys.modules["a_reporter"] is None
            entered.set()

    other = threading.Thread(target=enter)
    with base._without("a_reporter"):
        other.start()
        assert not entered.wait(0.2)
    other.join(60)
    assert entered.is_set() and "a_reporter" not in sys.modules


def test_a_package_that_is_missing_is_named():
    with pytest.raises(MissingDependency, match="no_such_runtime"):
        import_package("no_such_runtime")


@pytest.mark.parametrize(
    ("machine", "flags", "isa", "saturates"),
    [
        ("x86_64", {"avx512_vnni"}, "", False),
        ("AMD64", {"avx_vnni"}, "", False),
        ("x86_64", set(), "", True),
        ("x86_64", {"avx512_vnni"}, "avx2", True),  # the feature is there, but switched off
        ("x86_64", {"avx512_vnni"}, "AVX512_CORE", True),
        ("x86_64", {"avx512_vnni"}, "AVX2_VNNI", False),
        ("x86_64", {"avx512_vnni"}, "DEFAULT", False),
        ("x86_64", set(), "AVX2_VNNI", True),
        ("aarch64", set(), "", False),  # its instructions sum in 32 bits
    ],
)
@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_where_sums_of_int8_saturate(monkeypatch, machine, flags, isa, saturates, name):
    for one in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, isa)
    monkeypatch.setattr(base.platform, "machine", lambda: machine)
    monkeypatch.setattr(base, "processor_has", lambda asked, cpuinfo: not flags.isdisjoint(asked))
    assert base.sums_saturate() is saturates
    assert base.has_vnni() is bool(flags)
