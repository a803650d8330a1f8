"""Published weights: the first place that gives a file, and why the others gave none."""

from __future__ import annotations

import hashlib

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.weights import dead_hosts, download, published
from gluon_yolo.weights.download import Checksum
from gluon_yolo.weights.imagenet import SOURCES
from gluon_yolo.weights.published import PUBLISHED, Published, find_for, named, published_for
from tests.weights.file_server import serving

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path))
    monkeypatch.delenv(download.OFFLINE, raising=False)


@pytest.fixture
def places(monkeypatch):
    """Return a function that puts places of a server, by how it answers, in the list."""
    with serving({"w.pth": CONTENT}) as (url, asked):

        def put(*ways, digits=SHA256):
            each = [
                Published(
                    f"{way}/net", "some", "test", "none", f"{url}/{way}/w.pth", Checksum("sha256", digits)
                )
                for way in ways
            ]
            monkeypatch.setattr(published, "PUBLISHED", tuple(each))
            return asked

        yield put


def test_the_first_place_that_has_it(places):
    asked = places("gone", "whole", "cut")
    path, reasons = find_for("some")
    assert path.read_bytes() == CONTENT and reasons == ()
    assert asked == ["/gone/w.pth", "/whole/w.pth"]
    assert find_for("some") == (path, ()) and len(asked) == 2  # from the cache


def test_why_no_place_has_it(places):
    places("gone", "whole", digits="0" * 64)
    path, (first, second) = find_for("some")
    assert path is None
    assert "says 404 Not Found: there is no such file" in first and "damaged, or another file" in second


def test_a_dead_host_is_named_once_and_not_asked(places):
    dead_hosts.remember("127.0.0.1")
    asked = places("gone", "whole")
    assert find_for("some") == (None, ("127.0.0.1 did not answer within the last day",)) and not asked
    assert find_for("some", ask_dead=True)[0].read_bytes() == CONTENT


def test_what_is_in_the_cache_needs_no_network(places, monkeypatch):
    places("gone", "whole")
    path, _ = find_for("some")
    monkeypatch.setenv(download.OFFLINE, "1")
    assert find_for("some") == (path, ())


def test_nothing_is_published_for_other_networks(places):
    asked = places("whole")
    assert find_for("other") == (None, ()) and not asked


def test_every_published_backbone_is_of_a_network_that_reads_it():
    families = {name.rsplit("_", 1)[0] for name in zoo.names()}
    assert {each.family for each in PUBLISHED} <= families
    assert len({each.name for each in PUBLISHED}) == len(PUBLISHED)
    for each in PUBLISHED:
        assert each.url.startswith("https://") and each.licence
        assert each.checksum or each.url.startswith(published.HUB)
        is_read = any(each.family.startswith(source.network) for source in SOURCES)
        assert is_read or each.family == "yolo_fastestv2"
    assert [each.name for each in published_for("yolo3_mobilenet1.0")] == [
        "timm/mobilenetv1_100.ra4_e3600_r224_in1k"
    ]


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(
        UserError, match=r"timm/mobilenetv2_100\.ra_in1: did you mean timm/mobilenetv2_100\.ra_in1k"
    ):
        named("timm/mobilenetv2_100.ra_in1")


def test_checksums_are_those_of_the_files(shared_data):
    for name, file in (
        ("torchvision/mobilenet_v2.imagenet1k_v1", "imagenet/mobilenet_v2-b0353104.pth"),
        ("dog-qiuqiu/yolo-fastestv2-backbone", "fastestv2/backbone.pth"),
    ):
        digits = hashlib.sha256((shared_data / file).read_bytes()).hexdigest()
        assert named(name).checksum == Checksum("sha256", digits)
