"""Downloads: a file of a URL, with a time-out of seconds, checked before it gets its name."""

from __future__ import annotations

import http.client
import logging
import os
import re
import socket
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo import atomic_io
from gluon_yolo._version import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.system.scratch import owned, remove_left
from gluon_yolo.weights import dead_hosts

log = logging.getLogger("gluon_yolo")
SECONDS = 5.0  # to connect, and to the next bytes
OFFLINE = "GLUON_YOLO_OFFLINE"
_CHUNK = 1 << 18
_ETAG = "X-Linked-Etag"  # Hugging Face: the SHA-256 of a large file, before the redirection to its store
_ADVICE = "name a folder that can be written with GLUON_YOLO_CACHE"
_LENGTHS = {"sha1": 40, "sha256": 64}


class NoDownload(UserError):
    """A file cannot be had from a URL, now or at all."""


class Checksum(NamedTuple):
    """The checksum of a file.

    Args:
        kind: ``sha256`` or ``sha1``.
        digits: hexadecimal; the first eight or more are enough.
    """

    kind: str
    digits: str

    def __str__(self) -> str:
        """Return kind and digits."""
        return f"{self.kind}={self.digits}"


def checksum(text: str) -> Checksum | None:
    """Return the checksum of ``sha256=HEX`` or ``sha1=HEX``; None for another text."""
    kind, _, digits = text.partition("=")
    known = kind in _LENGTHS and re.fullmatch(r"[0-9a-f]+", digits.lower())
    return Checksum(kind, digits.lower()) if known and 8 <= len(digits) <= _LENGTHS[kind] else None


def is_offline() -> bool:
    """Return whether the user forbids downloads."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


def host_of(url: str) -> str:
    """Return the host of a URL."""
    return urllib.parse.urlsplit(url).hostname or url


def fetch(url: str, target: Path, expected: Checksum | None, ask_dead: bool = False) -> Path:
    """Download a file; it appears only after it was checked.

    Args:
        url: of the file, ``http`` or ``https``.
        target: its path here; folders are made.
        expected: its checksum; None relies on the one that Hugging Face sends.
        ask_dead: also ask a host that did not answer within the last day.

    Returns:
        ``target``.

    Raises:
        NoDownload: downloads are forbidden, the host does not answer or has no such file, or the file is cut
            short or another one.
        NotWritten: the file cannot be written.
    """
    host = host_of(url)
    if is_offline():
        raise NoDownload(f"{url}: not downloaded, because {OFFLINE} is set")
    if not ask_dead and dead_hosts.is_dead(host):
        raise NoDownload(f"{host} did not answer within the last day")
    log.info("fetching %s", url)
    with atomic_io.writing(target.parent, _ADVICE):
        target.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{target.name}."
        remove_left(target.parent, prefix)
        handle, name = tempfile.mkstemp(prefix=owned(prefix), suffix=".part", dir=target.parent)
        os.close(handle)
    part = Path(name)
    try:
        with atomic_io.writing(target, _ADVICE):
            answer = _Answer(url)
            with part.open("wb") as file:
                for chunk in answer.chunks():
                    file.write(chunk)
            _check(url, part, expected or answer.told)
            atomic_io.flush(part)
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    dead_hosts.forget(host)
    return target


class _Redirection(urllib.request.HTTPRedirectHandler):
    """Follows redirections, and keeps the checksum that Hugging Face sends with the first one."""

    etag = ""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request."""
        self.etag = self.etag or headers.get(_ETAG, "")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Answer:
    """The answer to a request: its bytes, and what the host tells of them.

    Args:
        url: that is asked.

    Attributes:
        told: the checksum that the host sends, if any; known once all bytes were read.
    """

    def __init__(self, url: str) -> None:
        self.url, self.host = url, host_of(url)
        self.told: Checksum | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            NoDownload: the host does not answer, has no such file, or sends less than all of it.
        """
        try:
            yield from self._read()
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.reason}{_meaning(error.code)}"
            raise NoDownload(f"{self.url}: {self.host} says {said}") from error
        except (http.client.HTTPException, ValueError) as error:
            text = f"{self.url}: what {self.host} sends is cut short or no answer ({error!r})"
            raise NoDownload(text) from error
        except OSError as error:
            dead_hosts.remember(self.host)
            reason = _short(getattr(error, "reason", error))
            raise NoDownload(f"{self.host} does not answer ({reason})") from error

    def _read(self) -> Iterator[bytes]:
        redirection = _Redirection()
        request = urllib.request.Request(self.url, headers={"User-Agent": f"gluon_yolo/{__version__}"})
        if not urllib.request.getproxies():
            _resolve(self.host)
        with urllib.request.build_opener(redirection).open(request, timeout=SECONDS) as answer:
            size, length = 0, answer.headers.get("Content-Length")
            while chunk := answer.read(_CHUNK):
                size += len(chunk)
                yield chunk
            if length is not None and size != int(length):
                raise NoDownload(f"{self.url}: cut short after {size} of {length} bytes; try again")
            etag = (redirection.etag or answer.headers.get(_ETAG, "")).strip('"')
            self.told = checksum(f"sha256={etag}")


def _resolve(host: str) -> None:
    """Look a host's address up, with a time-out, which the system's function does not have.

    Raises:
        OSError: there is no address, or no answer in time.
    """
    found: list[OSError | None] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, 443)
            found.append(None)
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if not found:
        raise TimeoutError
    if found[0] is not None:
        raise found[0]


def _meaning(code: int) -> str:
    if code in (401, 403):
        return ": the file needs a permission"
    return ": there is no such file" if code in (404, 410) else ""


def _short(reason: object) -> str:
    """Return why a host does not answer, without numbers of errors."""
    if isinstance(reason, TimeoutError):
        return f"nothing within {SECONDS:g} seconds"
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def _check(url: str, part: Path, expected: Checksum | None) -> None:
    """Compare the checksum of a file with the expected one."""
    if expected is None:
        return
    found = atomic_io.digest(part, expected.kind)
    if not found.startswith(expected.digits):
        raise NoDownload(
            f"{url}: damaged, or another file: its {expected.kind} is {found}, and should be "
            f"{expected.digits}; nothing was kept"
        )
