"""What an attacker leaves: modules that leave a mark when imported, and objects that do when unpickled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def plant_modules(folder: Path, mark: Path, *names: str) -> None:
    """Write modules into a folder, as single files, that leave a mark and then fail."""
    for name in names:
        (folder / f"{name}.py").write_text(
            f"open({os.fspath(mark)!r}, 'a').write('{name} ')\nraise ImportError('planted')\n"
        )


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.command = f"touch {mark}"

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)
