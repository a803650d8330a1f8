"""Downloads: whole, checked, with a time-out, and no second wait for a host that is dead."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from gluon_yolo.weights import dead_hosts, download
from gluon_yolo.weights.download import Checksum, NoDownload, checksum, fetch
from tests.weights.file_server import serving

CONTENT = bytes(range(256)) * 2000
SHA256, SHA1 = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha1(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(download.OFFLINE, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server():
    with serving({"w.pth": CONTENT}) as served:
        yield served


def nothing_left(folder):
    return not folder.exists() or not any(folder.rglob("*.*"))


@pytest.mark.parametrize(
    "expected", [Checksum("sha256", SHA256), Checksum("sha256", SHA256[:8]), Checksum("sha1", SHA1), None]
)
def test_a_whole_file(server, expected, tmp_path):
    path = fetch(f"{server[0]}/whole/w.pth", tmp_path / "new" / "w.pth", expected)
    assert path.read_bytes() == CONTENT and [each.name for each in path.parent.iterdir()] == ["w.pth"]


CASES = {
    "damaged": ("whole/w.pth", Checksum("sha256", "0" * 64), f"its sha256 is {SHA256}, and should be 000"),
    "cut short": ("cut/w.pth", None, r"cut short after 256000 of 512000 bytes|IncompleteRead"),
    "absent": ("gone/w.pth", None, "says 404 Not Found: there is no such file"),
}


@pytest.mark.parametrize(("path", "expected", "message"), CASES.values(), ids=CASES)
def test_a_file_that_is_not_whole_is_not_kept(server, path, expected, message, tmp_path):
    target = tmp_path / "new" / "w.pth"
    with pytest.raises(NoDownload, match=message) as error:
        fetch(f"{server[0]}/{path}", target, expected)
    assert nothing_left(target.parent) and "\n" not in str(error.value)
    assert not dead_hosts.is_dead("127.0.0.1")  # it answers


def test_the_checksum_that_hugging_face_sends(server, tmp_path, monkeypatch):
    fetch(f"{server[0]}/hub/w.pth", tmp_path / "w.pth", None)
    honest = download.checksum
    monkeypatch.setattr(download, "checksum", lambda text: honest(text[: len("sha256=")] + "0" * 64))
    with pytest.raises(NoDownload, match="damaged, or another file"):
        fetch(f"{server[0]}/hub/w.pth", tmp_path / "other.pth", None)


def test_a_host_that_does_not_answer_in_time_is_left_alone_for_a_day(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SECONDS", 0.2)
    url, asked = f"{server[0]}/slow/w.pth", server[1]
    with pytest.raises(NoDownload, match=r"127\.0\.0\.1 does not answer \(nothing within 0\.2 seconds\)"):
        fetch(url, tmp_path / "w.pth", None)
    before = len(asked)
    with pytest.raises(NoDownload, match=r"127\.0\.0\.1 did not answer within the last day"):
        fetch(f"{server[0]}/whole/w.pth", tmp_path / "w.pth", None)
    assert len(asked) == before and dead_hosts.is_dead("127.0.0.1")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 24 * 3600 + 60)
    assert not dead_hosts.is_dead("127.0.0.1")


def test_a_dead_host_that_is_asked_and_answers_is_alive(server, tmp_path):
    dead_hosts.remember("127.0.0.1")
    dead_hosts.remember("elsewhere")
    fetch(f"{server[0]}/whole/w.pth", tmp_path / "w.pth", None, ask_dead=True)
    assert not dead_hosts.is_dead("127.0.0.1") and dead_hosts.is_dead("elsewhere")


def test_a_name_that_no_one_can_look_up(tmp_path, monkeypatch):
    def no_address(*_):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(download.socket, "getaddrinfo", no_address)
    with pytest.raises(NoDownload, match=r"nowhere\.invalid does not answer \(Name or service not known\)"):
        fetch("https://nowhere.invalid/w.pth", tmp_path / "w.pth", None)
    assert dead_hosts.is_dead("nowhere.invalid")


def test_a_refused_connection(tmp_path):
    with serving({}) as (url, _):
        pass  # the port is free again
    with pytest.raises(NoDownload, match=r"127\.0\.0\.1 does not answer \(Connection refused\)"):
        fetch(f"{url}/whole/w.pth", tmp_path / "w.pth", None)


def test_offline_nothing_is_asked(server, tmp_path, monkeypatch):
    monkeypatch.setenv(download.OFFLINE, "1")
    before = len(server[1])
    with pytest.raises(NoDownload, match="not downloaded, because GLUON_YOLO_OFFLINE is set"):
        fetch(f"{server[0]}/whole/w.pth", tmp_path / "w.pth", None)
    assert len(server[1]) == before


@pytest.mark.parametrize("content", ["", "[]", '{"127.0.0.1": "yesterday"}', json.dumps({"127.0.0.1": 9e99})])
def test_a_damaged_memory_of_dead_hosts_is_none(content, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "dead-hosts.json").write_text(content)
    assert not dead_hosts.is_dead("127.0.0.1")
    dead_hosts.remember("127.0.0.1")
    assert dead_hosts.is_dead("127.0.0.1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sha256=" + "A" * 64, Checksum("sha256", "a" * 64)),
        ("sha1=" + "0" * 40, Checksum("sha1", "0" * 40)),
        ("sha256=0123", None),  # too short
        ("sha256=" + "0" * 65, None),
        ("md5=" + "0" * 32, None),
        ("sha256=" + "g" * 64, None),
        ("", None),
    ],
)
def test_checksums(text, expected):
    assert checksum(text) == expected
