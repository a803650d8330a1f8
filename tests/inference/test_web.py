"""Requests to a server: the kind of content at a URL, and error messages."""

from __future__ import annotations

import threading

import cv2
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference import web
from tests.inference.stream_servers import files, free_port, grey, http_server, jpeg, mjpeg, running


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(3))
    (tmp_path / "snapshot").write_bytes(jpeg(3))  # without a type
    (tmp_path / "page.html").write_text("<html>")
    (tmp_path / "a.mp4").write_bytes(b"0" * 100_000)
    return tmp_path


@pytest.mark.parametrize("name", ["a.jpg", "snapshot", "a.jpg?size=3"])
def test_an_image(folder, name):
    with running(files(folder)) as port:
        answer = web.ask(f"http://127.0.0.1:{port}/{name}")
    assert answer.image == jpeg(3) and answer.whole


def of_type(data: bytes, kind: str | None, length: bool = True, again: bool = False):
    """Return a server that sends bytes with a content type, optionally without length or end."""

    def answer(handler):
        handler.send_response(200)
        if kind is not None:
            handler.send_header("Content-Type", kind)
        if length:
            handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        while again:
            handler.wfile.write(data)

    return http_server(answer)


def encoded(ending: str) -> bytes:
    return cv2.imencode(ending, grey(3))[1].tobytes()


TYPES = (
    None,
    "binary/octet-stream",
    "application/octet-stream",
    "text/plain",
    "video/mp4",
    "text/html",
    "x/y",
)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".bmp", ".tif", ".ppm"])
def test_an_image_by_its_first_bytes(ending):
    """S3's content type is binary/octet-stream, others have plain text or none; some have no length."""
    data = encoded(ending)
    for kind in TYPES:
        for length in (True, False):
            with running(of_type(data, kind, length)) as port:
                assert web.ask(f"http://127.0.0.1:{port}/x") == web.Answer(data, True), (kind, length)


@pytest.mark.parametrize(
    ("kind", "length", "again"),
    [("video/x-motion-jpeg", True, False), ("video/x-mjpeg", False, True), ("x/y", False, True)],
)
def test_one_jpeg_after_the_other_is_a_stream(kind, length, again):
    with running(of_type(jpeg(3) * 3, kind, length, again)) as port:
        assert web.ask(f"http://127.0.0.1:{port}/x", 0.3).image is None


def test_a_page_of_another_type():
    with running(of_type(b"<!DOCTYPE html><p>Log in", "application/octet-stream")) as port:
        with pytest.raises(UserError, match="is a page of text"):
            web.ask(f"http://127.0.0.1:{port}/x")


def test_a_slow_stream_is_not_waited_for_long():
    over = threading.Event()

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"G@")
        over.wait(5)

    with running(http_server(answer)) as port:
        assert web.ask(f"http://127.0.0.1:{port}/live", 0.2) == web.Answer(None, False, False)
    over.set()


def test_a_time_that_no_socket_takes(folder):
    with running(files(folder)) as port:
        for seconds in (1e12, float("inf")):
            assert web.ask(f"http://127.0.0.1:{port}/a.jpg", seconds).image == jpeg(3)


@pytest.mark.parametrize("ranges", [False, True])
def test_a_video(folder, ranges):
    with running(files(folder, ranges=ranges)) as port:
        assert web.ask(f"http://127.0.0.1:{port}/a.mp4") == web.Answer(None, True, ranges)


def test_a_stream():
    with running(mjpeg([])) as port:
        assert web.ask(f"http://127.0.0.1:{port}/video") == web.Answer(None, False, False)


def test_user_and_password(folder):
    with running(files(folder, password="p@ss:w")) as port:
        assert web.ask(f"http://me:p%40ss%3Aw@127.0.0.1:{port}/a.jpg").image == jpeg(3)
        for user in ("", "me:wrong@"):
            with pytest.raises(
                UserError, match=r"the server says 401 .*: name a user and a password .*http://USER"
            ):
                web.ask(f"http://{user}127.0.0.1:{port}/a.jpg")


def test_what_is_refused(folder):
    with running(files(folder)) as port:
        with pytest.raises(
            UserError, match=rf"http://127.0.0.1:{port}/none.jpg: the server says 404 Not Found$"
        ):
            web.ask(f"http://127.0.0.1:{port}/none.jpg")
        with pytest.raises(UserError, match="page.html: is a page of text, and no picture, video or stream"):
            web.ask(f"http://127.0.0.1:{port}/page.html")
    port = free_port()
    with pytest.raises(
        UserError, match=rf"http://me:\*\*\*@127.0.0.1:{port}/a: cannot be opened: Connection refused"
    ):
        web.ask(f"http://me:secret@127.0.0.1:{port}/a")


def test_a_server_that_says_nothing():
    over = threading.Event()
    server = http_server(lambda handler: over.wait(5))
    with running(server) as port, pytest.raises(UserError, match="cannot be opened: .*timed out"):
        web.ask(f"http://127.0.0.1:{port}/a", seconds=0.2)
    over.set()


def test_a_copy_is_whole_or_an_error(folder, tmp_path):
    with running(files(folder, broken=1)) as port:
        with pytest.raises(UserError, match="a.mp4: broke off after 66666 bytes; 33334 are missing"):
            web.download(f"http://127.0.0.1:{port}/a.mp4", tmp_path / "copy")
        web.download(f"http://127.0.0.1:{port}/a.mp4", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0" * 100_000
