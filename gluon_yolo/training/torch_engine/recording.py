"""Torch recording: the profiler of torch's engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gluon_yolo.torch_compat import torch


class TorchRecording:
    """Records by torch's profiler, on the CPU and, where there is one, on the GPU."""

    def __init__(self) -> None:
        self._profiler: Any = None

    def start(self, trace: Path) -> str:
        """Start to record; return an empty text, since nothing prevents it."""
        kinds = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            kinds.append(torch.profiler.ProfilerActivity.CUDA)
        self._profiler = torch.profiler.profile(activities=kinds)
        self._profiler.start()
        return ""

    def drop(self) -> None:
        """Stop, and write nothing."""
        self._stop()

    def write(self, trace: Path) -> str:
        """Stop, write the trace, and return the table, the operators that take the most time first."""
        profiler = self._stop()
        profiler.export_chrome_trace(str(trace))
        first = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        return profiler.key_averages().table(sort_by=first, row_limit=-1, max_name_column_width=100)

    def _stop(self) -> Any:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self._profiler.stop()
        return self._profiler
