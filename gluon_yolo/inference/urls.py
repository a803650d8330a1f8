"""URLs of streams: known schemes, and display without passwords."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

# Default port of each scheme that OpenCV's FFmpeg opens; None where a port cannot be checked by connecting.
SCHEMES: dict[str, int | None] = {
    "rtsp": 554,
    "rtsps": 322,
    "rtmp": 1935,
    "rtmps": 443,
    "http": 80,
    "https": 443,
    "tcp": None,
    "udp": None,
    "rtp": None,
    "srt": None,
}
HIDDEN = "***"
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_USER = re.compile(r"(?<=://)([^/?#]*)@")
# A password with a / ? or # in it, which looks like the path: the part before the @ is no port.
_BROKEN_USER = re.compile(r"(?<=://)([^/?#@:\[]*:(?!\d*[/?#]).*)@", re.DOTALL)
# Cameras take passwords in the query, and some in the path: rtsp://10.0.0.9/user=admin_password=x_channel=1.
_SECRET = re.compile(
    r"((?:pass(?:word|wd)?|pwd|psw|token|secret|sig(?:nature)?|api_?key|key|auth|access_token)=)[^&;/?#]+",
    re.IGNORECASE,
)
_LONGEST_NAME = 60


def scheme_of(word: str) -> str | None:
    """Return the scheme at the beginning of a word, in lower case; None where it is no URL."""
    match = _URL.match(word)
    return match[1].lower() if match else None


def shown(url: str) -> str:
    """Return a URL with ``***`` in place of everything that may be a password."""
    user = _USER if _USER.search(url) else _BROKEN_USER
    return _SECRET.sub(rf"\g<1>{HIDDEN}", user.sub(_without_password, url, count=1))


def _without_password(match: re.Match[str]) -> str:
    name, colon, _ = match[1].partition(":")
    return f"{name}:{HIDDEN}@" if colon else f"{HIDDEN}@"  # without a colon it may be a token


def stem_of(url: str) -> str:
    """Return a file name stem for a URL: host and path, without user, password and query."""
    parts = urlsplit(shown(url))
    host = parts.netloc.rpartition("@")[2]
    path = re.sub(r"\.[a-z0-9]{1,5}$", "", parts.path, flags=re.IGNORECASE)
    words = re.sub(r"[^\w.-]+", "_", f"{host}{path}").strip("._-")
    return words[:_LONGEST_NAME].rstrip("._-") or parts.scheme


def why_silent(url: str, seconds: float) -> str:
    """Return why a URL cannot be opened, as far as a connection to its host tells.

    Args:
        url: of a stream.
        seconds: timeout.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or SCHEMES.get(parts.scheme.lower())
    except ValueError as error:  # invalid port
        return str(error)
    if not host:
        return "it names no host"
    if port is None or scheme_of(url) in ("udp", "rtp", "srt"):
        return f"nothing came within {seconds:g} s"
    try:
        socket.create_connection((host, port), seconds).close()
    except socket.gaierror:
        return f"there is no host {host}"
    except socket.timeout:
        return f"{host}:{port} does not answer within {seconds:g} s"
    except OSError as error:
        return f"{host}:{port}: {error.strerror or error}"
    return f"{host}:{port} answers, but gives no video there: are the path and the password right?"
