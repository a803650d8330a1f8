"""Member: what the environment says about this process, among those that train together."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from gluon_yolo.errors import UserError

STORE, ROUND, FAULT, REPORTS = (
    "GLUON_YOLO_STORE",
    "GLUON_YOLO_ROUND",
    "GLUON_YOLO_FAULT",
    "GLUON_YOLO_REPORTS",
)
"""Variables that the agent of :mod:`gluon_yolo.training.processes.agent` sets beside torch's own."""

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_NO_NAME = "none"  # torchrun's run id where none is given, or a new UUID
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Member(NamedTuple):
    """One of several processes.

    Args:
        rank: its number, from 0, over all hosts.
        world: the number of processes, over all hosts.
        local_rank: its number on this host.
        local_world: the number of processes on this host.
        store: HOST:PORT of the values that all share.
        run: the id of the run, which names its values there.
        round: names this start of the processes, among all that a run has after faults.
        fault: why the processes were started again; empty for the first start.
        reports: the folder for the ending of this process; empty under another launcher, such as torchrun.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    store: str
    run: str
    round: str
    fault: str = ""
    reports: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Member | None:
        """Return what a launcher has set in the environment; None where this process is not one of several.

        Raises:
            UserError: a variable is not a number.
        """
        if any(name not in environment for name in _NEEDED):
            return None
        try:
            numbers = [int(environment[name]) for name in _NEEDED[:4]]
        except ValueError as error:
            raise UserError(
                f"the environment's {', '.join(_NEEDED[:4])}: {error}; unset them, or use torchrun"
            ) from error
        return cls(
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3],
            environment.get(STORE) or "{MASTER_ADDR}:{MASTER_PORT}".format_map(environment),
            environment.get("TORCHELASTIC_RUN_ID", _NO_NAME),
            environment.get(ROUND) or environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
            environment.get(FAULT, ""),
            environment.get(REPORTS, ""),
        )

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's folder and the log."""
        return self.rank == 0

    @property
    def run_id(self) -> str | None:
        """The run id that torchrun was given; None where it, or this package, made one."""
        is_made = bool(self.reports) or self.run == _NO_NAME or bool(_UUID.fullmatch(self.run))
        return None if is_made else self.run

    def others(self, place: str) -> str:
        """Return the name of a value of this start in the store."""
        return f"{self.round}/{place}"
