"""Local servers of streams for tests: MJPEG and files over HTTP, RTP's JPEG over RTSP, UDP."""

from __future__ import annotations

import base64
import contextlib
import http.server
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

GREY_STEP = 8


def grey(number: int, size_hw: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Return a frame whose grey level encodes its number."""
    return np.full((*size_hw, 3), GREY_STEP * number + 8, np.uint8)


def number_of(frame: np.ndarray) -> int:
    """Return the number of a frame."""
    return round((float(frame.mean()) - 8) / GREY_STEP)


def jpeg(number: int, size_hw: tuple[int, int] = (96, 128)) -> bytes:
    return cv2.imencode(".jpg", grey(number, size_hw))[1].tobytes()


@contextlib.contextmanager
def running(server: socketserver.BaseServer) -> Iterator[int]:
    """Run a server in threads; yield its port."""
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def http_server(answer: Callable[[http.server.BaseHTTPRequestHandler], None], port: int = 0):
    """Return a server that answers each GET with a function of its handler."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):  # the client may close the connection
                answer(self)

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def mjpeg(parts: Sequence[Sequence[int]], port: int = 0):
    """Return a server whose n-th stream has the n-th numbers as frames; later ones are rejected.

    Args:
        parts: numbers of frames, a list for each stream.
        port: of the server; 0 takes a free one.
    """
    left = iter(parts)

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.headers.get("User-Agent", "").startswith("gluon_yolo"):  # asks for the kind of content
            handler.send_response(200)
            handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            handler.end_headers()
            return
        numbers = next(left, None)
        if numbers is None:
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for number in numbers:
            data = jpeg(number)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            handler.wfile.write(head.encode() + data + b"\r\n")

    return http_server(answer, port)


def files(folder: Path, password: str = "", ranges: bool = False, broken: int = 0):
    """Return a server of a folder's files.

    Args:
        folder: of the files.
        password: of the user ``me``; empty needs none.
        ranges: whether it supports byte ranges.
        broken: number of answers that break off after two thirds of the file.
    """
    left = [broken]
    kinds = {".jpg": "image/jpeg", ".png": "image/png", ".mp4": "video/mp4", ".html": "text/html"}

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        wanted = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
        if password and handler.headers.get("Authorization") != wanted:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="camera"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        path = folder / handler.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            handler.send_error(404)
            return
        data = path.read_bytes()
        first = 0
        if ranges and "Range" in handler.headers:
            first = int(handler.headers["Range"].removeprefix("bytes=").partition("-")[0])
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Type", kinds.get(path.suffix, "application/octet-stream"))
        handler.send_header("Content-Length", str(len(data) - first))
        if ranges:
            handler.send_header("Accept-Ranges", "bytes")
            handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        asks = handler.headers.get("User-Agent", "").startswith("gluon_yolo") and ranges
        if left[0] and not asks:
            left[0] -= 1
            data = data[: len(data) * 2 // 3]
        handler.wfile.write(data[first:])

    return http_server(answer)


def rtsp(parts: Sequence[Sequence[int]], password: str = ""):
    """Return an RTSP server whose n-th stream has the n-th numbers as frames, RTP's JPEG within TCP.

    Args:
        parts: numbers of frames, a list for each stream.
        password: of the user ``me``; empty needs none.
    """
    left = iter(parts)
    wanted = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
    sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    sdp += "m=video 0 RTP/AVP 26\r\na=control:track1\r\n"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while self.answered():
                    pass

        def answered(self) -> bool:
            line = self.rfile.readline().decode().split()
            headers = {}
            while text := self.rfile.readline().decode().strip():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            if not line:
                return False
            if line[0] == "DESCRIBE" and password and headers.get("authorization") != wanted:
                self.reply(headers, "401 Unauthorized", ['WWW-Authenticate: Basic realm="camera"'])
            elif line[0] == "OPTIONS":
                self.reply(headers, "200 OK", ["Public: DESCRIBE, SETUP, PLAY, TEARDOWN"])
            elif line[0] == "DESCRIBE":
                self.reply(headers, "200 OK", ["Content-Type: application/sdp"], sdp)
            elif line[0] == "SETUP" and "TCP" not in headers["transport"]:
                self.reply(headers, "461 Unsupported Transport", [])
            elif line[0] == "SETUP":
                self.reply(headers, "200 OK", [f"Transport: {headers['transport']}", "Session: 7"])
            elif line[0] == "PLAY":
                self.reply(headers, "200 OK", ["Session: 7", "Range: npt=0-"])
                for place, number in enumerate(next(left, ())):
                    self.send_frame(place, jpeg(number))
                self.request.shutdown(socket.SHUT_WR)
                while self.rfile.read(1000):  # if it were closed unread, the frames in transit would be lost
                    pass
                return False
            else:
                self.reply(headers, "200 OK", [])
            return True

        def reply(self, headers: dict[str, str], status: str, lines: Sequence[str], body: str = "") -> None:
            lines = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', 0)}", *lines]
            lines += [f"Content-Length: {len(body)}"] if body else []
            self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

        def send_frame(self, place: int, data: bytes) -> None:
            """Send one JPEG in one packet (RFC 2435)."""
            tables, (height, width), scan = jpeg_parts(data)
            head = struct.pack(">BBHII", 0x80, 0x80 | 26, place, place * 3600, 1)
            head += struct.pack(">BBHBBBB", 0, 0, 0, 1, 255, width // 8, height // 8)
            packet = head + struct.pack(">BBH", 0, 0, len(tables)) + tables + scan
            self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server


def jpeg_parts(data: bytes) -> tuple[bytes, tuple[int, int], bytes]:
    """Return a JPEG's quantization tables, its height and width, and its entropy-coded scan."""
    tables, size_hw, place = b"", (0, 0), 2
    while True:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place + 4 : place + 2 + length]
        if marker == 0xDB:
            tables += b"".join(segment[i + 1 : i + 65] for i in range(0, len(segment), 65))
        elif marker == 0xC0:
            size_hw = struct.unpack(">HH", segment[1:5])
        elif marker == 0xDA:
            return tables, size_hw, data[place + 2 + length : -2]
        place += 2 + length


def send_by_udp(data: bytes, port: int, stopped: threading.Event) -> threading.Thread:
    """Send an MPEG-TS repeatedly until it is stopped."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stopped.is_set():
                for start in range(0, len(data), 1316):
                    out.sendto(data[start : start + 1316], ("127.0.0.1", port))
                    stopped.wait(0.002)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
