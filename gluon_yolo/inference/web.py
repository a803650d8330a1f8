"""Web: what an http or https URL gives, an image, a file or a stream, found by asking its server."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import logging
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from gluon_yolo.data.images.file_types import HTML, kind_of
from gluon_yolo.errors import UserError
from gluon_yolo.inference.urls import scheme_of, shown

log = logging.getLogger("gluon_yolo")

SECONDS = 10.0  # to wait for an answer
LONGEST = (
    86_400.0  # seconds that can be waited for one: sockets and OpenCV count in whole numbers of few bits
)
_TELLING = 1024  # bytes that tell what a file is
_MOTION = re.compile(r"video/.*jpe?g")  # one JPEG after the other, which begins as an image
_MOST_BYTES = 200 << 20  # of an image
_BLOCK = 1 << 20
_AGENT = {"User-Agent": "gluon_yolo"}  # some servers refuse Python's own


@dataclasses.dataclass(frozen=True)
class Answer:
    """What lies at a URL.

    Args:
        image: the bytes of an image file; None where it is none.
        whole: whether it is a file, which has an end, and no stream.
        seekable: whether its server can begin anywhere in it, as a reader of MP4 needs.
    """

    image: bytes | None = None
    whole: bool = False
    seekable: bool = True


def ask(url: str, seconds: float = SECONDS) -> Answer:
    """Ask a server what a URL gives.

    Args:
        url: http or https, with user and password where they are needed.
        seconds: to wait for an answer.

    Raises:
        UserError: it does not answer, or refuses.
    """
    with _opened(url, seconds) as answer:
        named = answer.headers.get_content_type()
        length = answer.headers.get("Content-Length", "")
        parts = named.startswith("multipart/")
        whole = length.isdecimal() and not parts
        # What a server calls it is a guess by the ending, or nothing: the content counts.
        first = b"" if parts else answer.read(_TELLING) if whole else _beginning(answer)
        kind = kind_of(first)
        if kind is HTML or (named == "text/html" and (kind is None or not kind.is_image)):
            raise UserError(f"{shown(url)}: is a page of text, and no picture, video or stream")
        if named.startswith("image/") or (kind and kind.is_image and not _MOTION.match(named)):
            if whole or named.startswith("image/"):
                return Answer(first + b"".join(_blocks(answer, url, _MOST_BYTES, len(first))), True)
            rest = _rest(answer, seconds)
            if rest is not None:
                return Answer(first + rest, True)
        return Answer(None, whole, answer.headers.get("Accept-Ranges", "").strip().lower() == "bytes")


def _beginning(answer: Any) -> bytes:
    """Return what an answer without a length begins with; where no more came, as of a slow stream, less."""
    data = b""
    with contextlib.suppress(socket.timeout):
        while len(data) < _TELLING and (more := answer.read1(_TELLING - len(data))):
            data += more
    return data


def _rest(answer: Any, seconds: float) -> bytes | None:
    """Return the rest of an answer without a length; None where it goes on, as a stream of JPEGs does."""
    data, end = bytearray(), time.monotonic() + seconds
    with contextlib.suppress(socket.timeout):
        while block := answer.read1(_BLOCK):
            data += block
            if len(data) > _MOST_BYTES or time.monotonic() > end:
                return None
        return bytes(data)
    return None


def download(url: str, path: Path, seconds: float = SECONDS) -> None:
    """Write what a URL gives to a file.

    Raises:
        UserError: it cannot be had whole.
    """
    with _opened(url, seconds) as answer, path.open("wb") as file:
        for block in _blocks(answer, url):
            file.write(block)


@contextlib.contextmanager
def _opened(url: str, seconds: float) -> Iterator[Any]:
    """Yield a server's answer."""
    try:
        with _request(url, seconds) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        hint = ""
        if error.code in (401, 407):
            hint = f": name a user and a password that it knows, {scheme_of(url)}://USER:PASSWORD@..."
        raise UserError(f"{shown(url)}: the server says {error.code} {error.reason}{hint}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{shown(url)}: cannot be opened: {getattr(reason, 'strerror', None) or reason}"
        ) from (error)


def _request(url: str, seconds: float) -> Any:
    """Ask for a URL."""
    seconds = min(seconds, LONGEST)
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(plain, headers=_AGENT)
    try:
        return _opener(parts, plain, ssl.create_default_context()).open(request, timeout=seconds)
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise
        # FFmpeg, which reads the stream, asks for none, and cameras sign theirs themselves.
        log.warning("%s: nobody vouches for its certificate (%s)", shown(url), error.reason.verify_message)
        return _opener(parts, plain, ssl._create_unverified_context()).open(request, timeout=seconds)


def _opener(parts: SplitResult, plain: str, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Return what opens a URL with its user and password, in the way that the server asks for."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if parts.username:
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, plain, unquote(parts.username), unquote(parts.password or ""))
        digest = urllib.request.HTTPDigestAuthHandler(known)
        handlers += [urllib.request.HTTPBasicAuthHandler(known), digest]
    return urllib.request.build_opener(*handlers)


def _blocks(answer: Any, url: str, most: int | None = None, count: int = 0) -> Iterator[bytes]:
    """Yield what a server sends, as it comes.

    Args:
        answer: the server's.
        url: that was asked for.
        most: bytes that are fetched.
        count: bytes that were read before.

    Raises:
        UserError: it is more than ``most`` bytes, or less than the server said.
    """
    while block := answer.read(_BLOCK):
        count += len(block)
        if most is not None and count > most:
            raise UserError(f"{shown(url)}: a picture of more than {most >> 20} MiB; it is not fetched")
        yield block
    if answer.length:  # what http.client still waits for
        raise UserError(f"{shown(url)}: broke off after {count} bytes; {answer.length} are missing")
