"""A package that is not installed."""

from __future__ import annotations

import builtins

import pytest


def uninstall(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make every import of a package fail as if it was not installed, in this process."""
    imported = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
