"""GluonCV's store, with this package's download in the place of the one that waits without end."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import UserError
from gluon_yolo.weights import dead_hosts, download
from gluon_yolo.weights.gluoncv_store import kept_file, store_file
from tests.weights.file_server import serving

CONTENT = b"parameters" * 500
SHA1 = hashlib.sha1(CONTENT).hexdigest()
FILE = f"mobilenet0.25-{SHA1[:8]}"


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{FILE}.params", content)
    return file.getvalue()


@pytest.fixture
def store(monkeypatch, tmp_path):
    """Return a function that lets a server be GluonCV's; it answers in one of its ways."""
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))
    monkeypatch.delenv(download.OFFLINE, raising=False)
    theirs = mxnet_compat.gluoncv().model_zoo.model_store
    monkeypatch.setitem(theirs._model_sha1, "mobilenet0.25", SHA1)
    before = theirs.download

    def answer(url, way):
        monkeypatch.setenv("MXNET_GLUON_REPO", f"{url}/{way}")

    yield answer
    assert theirs.download is before


def test_weights_are_fetched_once_and_kept(store, tmp_path):
    assert kept_file("mobilenet0.25") is None
    with serving({f"{FILE}.zip": zipped(CONTENT)}) as (url, asked):
        store(url, "whole")
        path = store_file("mobilenet0.25")
        assert path == str(tmp_path / "mxnet" / "models" / f"{FILE}.params")
        assert path == str(kept_file("mobilenet0.25"))
        assert store_file("mobilenet0.25") == path and len(asked) == 1


@pytest.mark.parametrize(
    ("way", "content", "message"),
    [
        ("gone", CONTENT, r"could not be downloaded \(http://.*: 127.0.0.1 says 404 Not Found: there is no"),
        ("cut", CONTENT, r"could not be downloaded \(http://.*: cut short after"),
        ("whole", b"others", r"could not be downloaded \(ValueError\)"),  # its own check of the sum
    ],
)
def test_weights_that_are_not_whole(store, way, content, message):
    with serving({f"{FILE}.zip": zipped(content)}) as (url, _):
        store(url, way)
        with pytest.raises(UserError, match=f"{FILE}.params: not there and {message}"):
            store_file("mobilenet0.25")


def test_a_dead_host_is_not_asked(store):
    dead_hosts.remember("127.0.0.1")
    with serving({f"{FILE}.zip": zipped(CONTENT)}) as (url, asked):
        store(url, "whole")
        with pytest.raises(UserError, match=r"\(127.0.0.1 did not answer within the last day\)"):
            store_file("mobilenet0.25")
        assert not asked
