"""ManyProcesses: what the processes that train one network together tell each other, and who does what."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.data.loading.share import Share
from gluon_yolo.errors import SettingError
from gluon_yolo.evaluation.gathering import Found
from gluon_yolo.pytorch.process_group import ProcessGroup
from gluon_yolo.text import counted
from gluon_yolo.torch_compat import Tensor, distributed, torch
from gluon_yolo.training.processes.agent_signals import BEGUN
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.processes.membership import Membership
from gluon_yolo.training.processes.stop import SharedStop
from gluon_yolo.training.run_dir import RunFolder

if TYPE_CHECKING:
    from gluon_yolo.training.checkpoint import Checkpoint

_MESSAGE_S = 1800.0  # of a message between devices: a hung process is seen by its watch, much earlier


class ManyProcesses(Processes):
    """This process among several; see :class:`Processes`.

    Messages of each step go from device to device, and nothing in a step waits for anything else. What may
    take one process minutes (a validation's metrics, a checkpoint) is waited for at the store, where no
    message has a limit of time.

    Args:
        member: this process.
        membership: its store and its watch.
    """

    def __init__(self, member: Member, membership: Membership) -> None:
        super().__init__()
        self.member: Member = member
        self.membership, self.store = membership, membership.store
        self.share = Share(member.rank, member.world)
        self.gathering = self
        self.stop: SharedStop = SharedStop(self._begun, is_announced=member.is_first and not member.reports)
        self._group = ProcessGroup()
        self._turns = 0

    @classmethod
    @contextlib.contextmanager
    def taking_part(cls, member: Member, silence_s: float) -> Iterator[ManyProcesses]:
        """Be one of the processes while the block runs.

        Raises:
            Ended, SystemExit: as :class:`Membership` does.
        """
        with Membership(member, silence_s) as membership:
            processes = cls(member, membership)
            yield processes
            processes._group.leave()

    def group(self, device: str) -> ProcessGroup:
        """Join the group of devices, once."""
        store = distributed.PrefixStore(self.member.others("group"), self.store.shared)
        if self._group.world == 1:
            if device.startswith("cuda"):
                torch.cuda.set_device(device)
            self._group = ProcessGroup.join(device, _MESSAGE_S, store=store)
        return self._group

    def agreed(self, losses: Tensor, learning_rate: float) -> tuple[np.ndarray, float]:
        """Send losses, learning rate and the wish to stop in one message, and return those of all."""
        own = losses.detach().mean(dim=1).double()
        rate = learning_rate if self.is_first else 0.0
        rest = torch.tensor([*self.stop.wishes(), rate], dtype=own.dtype).to(own.device, non_blocking=True)
        message = self._group.sum_(torch.cat([own, rest])).cpu().numpy()
        self.stop.agree(message[len(own) : -1])
        return message[: len(own)] / self.member.world, float(message[-1])

    def names_of(self, names: Sequence[str], is_bad: bool) -> list[str]:
        """Return the names of the images of all processes with a bad batch."""
        place = self._next("names")
        self.store.send(f"{place}/{self.member.rank}", list(names) if is_bad else [])
        received = [self.store.receive(f"{place}/{rank}", keep=True) for rank in range(self.member.world)]
        return [name for each in received for name in each]

    def settle(self) -> None:
        """Take over whether the first process ends the run, however long it takes to get there."""
        name = self._next("stop")
        if self.is_first:
            self.store.set(name, json.dumps(self.stop.wishes()).encode())
        self.stop.agree(json.loads(self.store.wait(name)))

    def callbacks(self, callbacks: Sequence[Any]) -> list[Any]:
        """Return all callbacks in the first process, none in the others."""
        return list(callbacks) if self.is_first else []

    def checkpoint(self, folder: RunFolder) -> Checkpoint:
        """Return the checkpoint, which the first process writes and all read."""
        from gluon_yolo.training.processes.checkpoint import SharedCheckpoint  # late: it imports mxnet

        return SharedCheckpoint(folder, self.member, self.store)

    def _begun(self) -> None:
        """Let the agent know that a signal ends the training with its state saved, from now on."""
        if self.member.reports:
            (Path(self.member.reports) / BEGUN).touch()

    def part_of(self, workers: int) -> int:
        """Return an even part of a host's workers, at least one."""
        return max(1, workers // self.member.local_world) if workers else 0

    def described(self) -> str:
        """Return the number of processes, of hosts, and of what each process computes with."""
        where = f" on {self.hosts} hosts" if self.hosts > 1 else ""
        threads = counted(torch.get_num_threads(), "thread")
        again = f"; started again: {self.member.fault}" if self.member.fault else ""
        return f"processes: {self.member.world}{where}, each of {threads}{again}"

    def first_says(self, what: str, value: Any) -> Any:
        """Return the first process's value, in all of them, however long that takes."""
        name = self._next(what)
        if self.is_first:
            self.store.set(name, json.dumps(value).encode())
        return json.loads(self.store.wait(name))

    def known_folder(self) -> Path | None:
        """Return the run's folder: of an earlier start, or as the first process makes it."""
        if self.is_first:
            content = self.store.get("folder")
            return Path(json.loads(content)[0]) if content else None
        named, whole = map(Path, json.loads(self.store.wait(self.member.others("folder"))))
        found = next((path for path in (named, whole) if path.is_dir()), None)
        if found is None:
            raise SettingError(
                f"{whole}: not on this host, and the first process writes the run there: all hosts need one "
                "folder of a shared file system: {save_prefix}"
            )
        return found

    def announce(self, folder: Path) -> None:
        """Tell the others, and processes that start after a fault, the run's folder."""
        if self.is_first:
            content = json.dumps([str(folder), os.path.abspath(folder)]).encode()
            for name in ("folder", self.member.others("folder")):
                self.store.set(name, content)

    def batches(self, count: int) -> range:
        """Return this process's part of a validation's batches, one behind the other."""
        each, rest = divmod(count, self.member.world)
        start = self.member.rank * each + min(self.member.rank, rest)
        return range(start, start + each + (self.member.rank < rest))

    def gathered(self, found: Iterable[Found]) -> Iterator[Found] | None:
        """Return the detections of all processes in the first one, and send it this process's."""
        place = self._next("found")
        if not self.is_first:
            self.store.send(f"{place}/{self.member.rank}", list(found))
            return None
        return self._received(found, place)

    def _received(self, found: Iterable[Found], place: str) -> Iterator[Found]:
        yield from found
        for rank in range(1, self.member.world):
            yield from self.store.receive(f"{place}/{rank}")

    def _next(self, what: str) -> str:
        """Return a name of the store that all processes use at the same turn."""
        self._turns += 1
        return self.member.others(f"{what}/{self._turns}")
