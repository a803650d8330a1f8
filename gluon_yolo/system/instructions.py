"""The CPU's instruction sets."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# oneDNN's names of the instruction sets below AVX-512 BW, VL and DQ.
_BELOW_AVX512 = ("SSE41", "AVX", "AVX2", "AVX512_MIC", "AVX512_MIC_4OPS")


def processor_has(features: Collection[str], cpuinfo: Path = CPUINFO) -> bool:
    """Return whether the CPU has one of these features; False where unknown."""
    try:
        return not set(features).isdisjoint(cpuinfo.read_text(errors="replace").split())
    except OSError:
        return False


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Return the name of the CPU, as Linux reports it, else its architecture."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for name, _, value in (line.partition(":") for line in lines):
        if name.strip() in ("model name", "Model") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def mxnet_has_avx512(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether mxnet computes with AVX-512; False where unknown.

    ``DNNL_MAX_CPU_ISA`` limits mxnet's oneDNN, which does not read ``ONEDNN_MAX_CPU_ISA``.
    """
    limit = os.environ.get("DNNL_MAX_CPU_ISA", "").upper()
    return limit not in _BELOW_AVX512 and processor_has({"avx512bw"}, cpuinfo)
