"""Run a command of the package, and strike at its n-th touch of the disk.

A touch is a file that is opened for writing, renamed, made or removed, a folder that is made or removed, or a
synchronisation (``os.fsync``). The environment says what happens at the n-th one: ``STRIKE=kill:N`` ends the
process by SIGKILL, ``STRIKE=EIO:N`` makes it fail with that error; ``STRIKE=count:FILE`` does nothing, and
writes the number of touches to a file.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

TOUCHES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
PRIVATE = ("/dev/", "/proc/", "/sys/")


class Strike:
    """Counts the touches of the disk, and strikes at one of them."""

    def __init__(self, asked: str) -> None:
        self._what, _, self._where = asked.partition(":")
        self._at = -1 if self._what == "count" else int(self._where)
        self.count = 0
        self._fsync = os.fsync
        os.fsync = self._synchronise  # type: ignore[assignment]
        sys.addaudithook(self._hook)

    def write(self) -> None:
        """Write the number of touches, where that is asked for."""
        if self._what == "count":
            count, self._what = self.count, ""
            Path(self._where).write_text(str(count))

    def _synchronise(self, descriptor: int) -> None:
        self._touch(os.readlink(f"/proc/self/fd/{descriptor}"))
        self._fsync(descriptor)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = (*args, 0)[:3]
            opens = isinstance(mode, str) and bool(set(mode) & set("wax+"))
            opens = opens or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR)))
            if not opens or not isinstance(path, (str, bytes)) or os.fsdecode(path).startswith(PRIVATE):
                return
        elif event not in TOUCHES:
            return
        self._touch(args[0])

    def _touch(self, path: Any) -> None:
        self.count += 1
        if self.count != self._at:
            return
        if self._what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self._what)
        raise OSError(number, os.strerror(number), path)


def main() -> int:
    """Run the command in the words."""
    from gluon_yolo.cli import main as run

    strike = Strike(os.environ.get("STRIKE", "count:/dev/null"))
    try:
        return run(sys.argv[1:])
    finally:
        strike.write()


if __name__ == "__main__":
    sys.exit(main())
