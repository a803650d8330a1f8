"""Requests to http and https URLs: whether the answer is an image, a file or a stream."""

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

SECONDS = 10.0  # timeout of a request
LONGEST = 86_400.0  # longest timeout in seconds; sockets and OpenCV use small integers
_TELLING = 1024  # number of first bytes that tell the kind of a file
_MOTION = re.compile(r"video/.*jpe?g")  # motion JPEG: a sequence of JPEGs, which begins like an image
_MOST_BYTES = 200 << 20  # largest size of an image
_BLOCK = 1 << 20
_AGENT = {"User-Agent": "gluon_yolo"}  # some servers reject Python's default


@dataclasses.dataclass(frozen=True)
class Answer:
    """The kind of a URL's content.

    Args:
        image: bytes of an image file; None for other content.
        whole: whether it is a file, which has an end, and no stream.
        seekable: whether the server supports byte ranges, which a reader of MP4 needs.
    """

    image: bytes | None = None
    whole: bool = False
    seekable: bool = True


def ask(url: str, seconds: float = SECONDS) -> Answer:
    """Request a URL and return what kind of content it has.

    Args:
        url: http or https, with user and password where needed.
        seconds: timeout.

    Raises:
        UserError: the server does not answer, or answers with an error.
    """
    with _opened(url, seconds) as answer:
        named = answer.headers.get_content_type()
        length = answer.headers.get("Content-Length", "")
        parts = named.startswith("multipart/")
        whole = length.isdecimal() and not parts
        # The content type is a guess from the file name, or missing: the content is more reliable.
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
    """Return the first bytes of an answer without a length; fewer where a slow stream sends no more."""
    data = b""
    with contextlib.suppress(socket.timeout):
        while len(data) < _TELLING and (more := answer.read1(_TELLING - len(data))):
            data += more
    return data


def _rest(answer: Any, seconds: float) -> bytes | None:
    """Return the rest of an answer without a length; None where it does not end, as a stream of JPEGs."""
    data, end = bytearray(), time.monotonic() + seconds
    with contextlib.suppress(socket.timeout):
        while block := answer.read1(_BLOCK):
            data += block
            if len(data) > _MOST_BYTES or time.monotonic() > end:
                return None
        return bytes(data)
    return None


def download(url: str, path: Path, seconds: float = SECONDS) -> None:
    """Write the content of a URL to a file.

    Raises:
        UserError: the download fails or is incomplete.
    """
    with _opened(url, seconds) as answer, path.open("wb") as file:
        for block in _blocks(answer, url):
            file.write(block)


@contextlib.contextmanager
def _opened(url: str, seconds: float) -> Iterator[Any]:
    """Open a URL and turn errors into UserErrors."""
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
    """Open a URL; a certificate that cannot be verified gives a warning."""
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
        # FFmpeg, which reads the stream, does not verify certificates, and cameras have self-signed ones.
        log.warning("%s: nobody vouches for its certificate (%s)", shown(url), error.reason.verify_message)
        return _opener(parts, plain, ssl._create_unverified_context()).open(request, timeout=seconds)


def _opener(parts: SplitResult, plain: str, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Return an opener with the URL's user and password, for basic and digest authentication."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if parts.username:
        known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        known.add_password(None, plain, unquote(parts.username), unquote(parts.password or ""))
        digest = urllib.request.HTTPDigestAuthHandler(known)
        handlers += [urllib.request.HTTPBasicAuthHandler(known), digest]
    return urllib.request.build_opener(*handlers)


def _blocks(answer: Any, url: str, most: int | None = None, count: int = 0) -> Iterator[bytes]:
    """Yield the bytes of an answer in blocks.

    Args:
        answer: of the server.
        url: for messages.
        most: largest number of bytes.
        count: number of bytes read before.

    Raises:
        UserError: there are more than ``most`` bytes, or fewer than announced.
    """
    while block := answer.read(_BLOCK):
        count += len(block)
        if most is not None and count > most:
            raise UserError(f"{shown(url)}: a picture of more than {most >> 20} MiB; it is not fetched")
        yield block
    if answer.length:  # number of missing bytes
        raise UserError(f"{shown(url)}: broke off after {count} bytes; {answer.length} are missing")
