"""A server on this machine that misbehaves on demand."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
import time
from collections.abc import Iterator, Mapping


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``files``; a path's first part says how: ``/whole /cut /slow /hub /gone``."""

    files: Mapping[str, bytes] = {}
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        _, how, *_, name = self.path.split("/")
        content = self.files.get(name)
        if how == "slow":
            time.sleep(1)
        if content is None or how == "gone":
            return self.send_error(404)
        if how == "hub":  # as Hugging Face does: a redirection that has the checksum
            self.send_response(302)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Location", self.path.replace("/hub/", "/whole/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if how == "cut" else content)
        return None


@contextlib.contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a server of files, and the list of the paths that are asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"files": files, "asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
