"""Recordings: the profilers of the engines, which write a trace and a table of operators."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gluon_yolo.mxnet_compat import mx


class Recording(Protocol):
    """Records the operators that an engine runs."""

    def start(self, trace: Path) -> str:
        """Start to record.

        Args:
            trace: the file to write later.

        Returns:
            Why it cannot record; empty if it records.
        """
        ...

    def drop(self) -> None:
        """Stop, and write nothing."""
        ...

    def write(self, trace: Path) -> str:
        """Stop, write the trace, and return the table: calls and time of each operator.

        Args:
            trace: the file, for chrome://tracing or https://ui.perfetto.dev.
        """
        ...


class MXNetRecording:
    """Records by mxnet's profiler, which writes one trace per process."""

    def start(self, trace: Path) -> str:
        """Start to record; return why not."""
        mx.nd.waitall()
        kinds = {"profile_symbolic": True, "profile_imperative": True, "aggregate_stats": True}
        try:
            mx.profiler.set_config(filename=str(trace), **kinds)
        except mx.MXNetError:
            return "mxnet's profiler has written one in this process, and does so once"
        mx.profiler.set_state("run")
        return ""

    def drop(self) -> None:
        """Stop, and write nothing."""
        mx.profiler.set_state("stop")

    def write(self, trace: Path) -> str:
        """Stop, write the trace, and return the table."""
        mx.nd.waitall()
        mx.profiler.set_state("stop")
        table = mx.profiler.dumps(reset=True)
        mx.profiler.dump()
        return table


def recording_of(engine: str) -> Recording:
    """Return the recording of an engine by its name."""
    if engine == "torch":
        from gluon_yolo.training.torch_engine.recording import TorchRecording

        return TorchRecording()
    return MXNetRecording()
