"""Hosts that did not answer, remembered for a day, so that not every training waits for them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

from gluon_yolo import atomic_io
from gluon_yolo.errors import NotWritten
from gluon_yolo.system.cache import cache_folder

SECONDS = 24 * 3600


def is_dead(host: str) -> bool:
    """Return whether a host did not answer within the last day."""
    return host in _read()


def remember(host: str) -> None:
    """Remember that a host does not answer; without a cache folder nothing is remembered."""
    _write({**_read(), host: time.time()})


def forget(*hosts: str) -> None:
    """Forget hosts, because they answer or are to be asked again; all of them where none is named."""
    before = _read()
    after = {host: when for host, when in before.items() if hosts and host not in hosts}
    if after != before:
        _write(after)


def _file() -> Path:
    return cache_folder() / "dead-hosts.json"


def _read() -> dict[str, float]:
    """Return the hosts and when each did not answer, in seconds since 1970."""
    try:
        found = json.loads(_file().read_text("utf-8"))
        now = time.time()
        return {host: when for host, when in found.items() if now - SECONDS < when <= now}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(hosts: Mapping[str, float]) -> None:
    with contextlib.suppress(OSError, NotWritten):
        _file().parent.mkdir(parents=True, exist_ok=True)
        with atomic_io.replacing(_file()) as part:
            part.write_text(json.dumps(hosts), encoding="utf-8")
