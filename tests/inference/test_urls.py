"""URLs: no password is shown or becomes part of a name, in any position."""

from __future__ import annotations

import pytest

from gluon_yolo.inference.urls import scheme_of, shown, stem_of, why_silent
from tests.inference.stream_servers import free_port

# URL, what is shown, stem of the results' names
URLS = [
    ("rtsp://10.0.0.9/live", "rtsp://10.0.0.9/live", "10.0.0.9_live"),
    ("rtsp://me:secret@cam:554/h264/ch1.sdp", "rtsp://me:***@cam:554/h264/ch1.sdp", "cam_554_h264_ch1"),
    ("rtsp://me:se@cr:et@cam/live", "rtsp://me:***@cam/live", "cam_live"),  # a colon or @ in the password
    ("rtsp://me:a/secret@cam/live", "rtsp://me:***@cam/live", "cam_live"),  # a URL that nothing can open
    ("http://cam:8080/a@2x.jpg", "http://cam:8080/a@2x.jpg", "cam_8080_a_2x"),
    ("https://secret@cam/live.m3u8", "https://***@cam/live.m3u8", "cam_live"),
    (
        "http://cam/v.cgi?user=me&pwd=secret&size=2",
        "http://cam/v.cgi?user=me&pwd=***&size=2",
        "cam_v",
    ),
    ("http://cam/a.mp4?Signature=secret#t=3", "http://cam/a.mp4?Signature=***#t=3", "cam_a"),
    (
        "rtsp://cam/user=me_password=secret_channel=1.sdp",
        "rtsp://cam/user=me_password=***",
        "cam_user_me_password",
    ),
    ("udp://@:1234", "udp://***@:1234", "1234"),
    ("http://me:secret@[::1]:80/", "http://me:***@[::1]:80/", "1_80"),
    (f"http://cam/{'x' * 300}", f"http://cam/{'x' * 300}", f"cam_{'x' * 56}"),
]


@pytest.mark.parametrize(("url", "seen", "stem"), URLS)
def test_no_password_is_seen(url, seen, stem):
    assert (shown(url), stem_of(url)) == (seen, stem)
    assert "secret" not in shown(url) + stem_of(url)


@pytest.mark.parametrize(
    ("word", "scheme"),
    [
        ("RTSP://cam", "rtsp"),
        ("https://a/b.jpg", "https"),
        ("C:/a/b.jpg", None),
        ("a://b", "a"),
        ("a.jpg", None),
    ],
)
def test_which_words_are_urls(word, scheme):
    assert scheme_of(word) == scheme


def test_why_nothing_comes():
    port = free_port()
    assert why_silent(f"rtsp://me:secret@127.0.0.1:{port}/live", 1) == f"127.0.0.1:{port}: Connection refused"
    assert why_silent("rtmp://nowhere.invalid/live", 1) == "there is no host nowhere.invalid"
    assert why_silent("udp://127.0.0.1:7000", 0.5) == "nothing came within 0.5 s"
    assert why_silent("rtsp://cam:99999/live", 1).startswith("Port out of range")
    assert why_silent("rtsp:///live", 1) == "it names no host"
