"""The CPU's instruction sets: what it has, and what a user lets mxnet use."""

from __future__ import annotations

import pytest

from gluon_yolo.system.instructions import mxnet_has_avx512, processor_has


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ("avx2 avx512f avx512bw", None, True),
        ("avx2 avx512f avx512bw", "ALL", True),
        ("avx2 avx512f avx512bw", "avx512_core", True),
        ("avx2 avx512f avx512bw", "avx2", False),
        ("avx2 avx512f avx512bw", "AVX512_MIC", False),
        ("avx2 avx512f", None, False),  # Knights Landing
        ("avx2", None, False),
    ],
)
def test_whether_mxnet_has_avx512(monkeypatch, tmp_path, flags, limit, expected):
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # mxnet's oneDNN does not read this name
    if limit is not None:
        monkeypatch.setenv("DNNL_MAX_CPU_ISA", limit)
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : fpu {flags}\n")
    assert mxnet_has_avx512(tmp_path / "cpuinfo") is expected


def test_nothing_is_known_without_the_file(tmp_path):
    assert not processor_has({"avx2"}, tmp_path / "none")
    assert not mxnet_has_avx512(tmp_path / "none")
