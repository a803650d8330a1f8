"""The memory that an export, an import or a quantization needs, against the free memory."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gluon_yolo import export, import_darknet, quantize
from gluon_yolo.errors import SettingError
from gluon_yolo.exporters import memory_need
from gluon_yolo.exporters.api import FORMATS
from gluon_yolo.exporters.memory_need import Factors, NetworkBytes, check
from gluon_yolo.exporters.quantize.backends import INT8
from gluon_yolo.models import zoo
from gluon_yolo.models.summary import summarize
from gluon_yolo.system import memory
from gluon_yolo.system.memory import Memory
from tests.printed import refused
from tests.random_model import random_detector

GB, OLD = 1_000_000_000, Path(__file__).parents[1] / "old_work"


@pytest.fixture
def there(monkeypatch):
    """Return a function that sets the free memory and the swap in GB; this process has 0.5 GB."""
    monkeypatch.setattr(memory, "resident", lambda: GB // 2)

    def set_to(free: float, swap: float = 0.0, limit: str = "the container") -> None:
        monkeypatch.setattr(memory, "look", lambda: Memory(int(free * GB), int(swap * GB), limit))

    return set_to


@pytest.mark.parametrize(
    ("need", "free", "swap", "said"),
    [
        # 2.5 GB, of which 2 are to come: 1.15 times these are enough, less than 0.8 times too little
        (
            2.5,
            2.4,
            0,
            "memory: this export needs about 2.5 GB of memory, of which it has 0.5 GB; there is 2.4",
        ),
        (2.5, 2.2, 0, "this export may be killed: it needs about 2.5 GB"),
        (2.5, 1.7, 0, "this export may be killed: it needs about 2.5 GB"),
        (2.5, 1.5, 1, "this export will wait for the disk: it needs about 2.5 GB"),
        (0.9, 9, 0, ""),  # a small need gets no line
        (0.9, 0.42, 0, "this export may be killed: it needs about 0.9 GB"),
    ],
)
def test_what_is_said(there, caplog, need, free, swap, said):
    there(free, swap)
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        check(need * GB, "this export", "Do it elsewhere")
    assert caplog.text.strip() == "" if not said else said in caplog.text
    assert ("Do it elsewhere" in caplog.text) == ("may be" in said or "will wait" in said)


def test_certainly_too_little(there):
    there(1.5)
    with pytest.raises(SettingError) as raised:
        check(2.5 * GB, "this export", "End other programs")
    assert str(raised.value) == (
        "memory: this export would be killed: it needs about 2.5 GB of memory, of which it has 0.5 GB; there "
        "is 1.5 GB within the limit of the container. End other programs"
    )


def test_a_system_that_does_not_tell(monkeypatch, caplog):
    monkeypatch.setattr(memory, "look", lambda: None)
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        check(2.5 * GB, "quantizing", "")
        check(0.5 * GB, "quantizing", "")
    (line,) = caplog.records
    assert line.getMessage() == "memory: quantizing needs about 2.5 GB of memory"


def test_size_of_a_network_without_weights():
    """The sum of a network's arrays, which its summary has too, in float32."""
    net = zoo.build("yolo3_mobilenet0.25_custom", class_names=["a"])
    size = NetworkBytes.of(net, (64, 96))
    assert size.weights == 4 * summarize(net, (64, 96)).parameters
    assert NetworkBytes.of(net, (128, 96)).maps == pytest.approx(2 * size.maps, rel=0.01)
    more = size.times(Factors(3, 2, 100)) - size.times(Factors(0, 0))
    assert more == 3 * size.weights + 2 * size.maps + 100


def test_a_size_that_does_not_suit_the_network_is_what_is_wrong(tmp_path):
    with refused("size 100x100: .*multiples of 32"):
        export(random_detector(), "onnx", tmp_path, size=100)


def test_every_format_has_factors():
    assert set(memory_need.EXPORT) == set(FORMATS) and set(memory_need.INT8) == set(INT8)


def test_darknet53_is_said_to_stay_under_four_gigabytes():
    net = zoo.build("yolo3_darknet53_coco")
    for formats in (*([kind] for kind in FORMATS), list(FORMATS)):
        assert GB < memory_need.of_export(net, (416, 416), formats)[1] < 4 * GB
    for formats in (*([kind] for kind in INT8), list(INT8)):
        assert GB < memory_need.of_quantize(net, (416, 416), formats, 200) < 4 * GB


def test_nothing_is_written_where_there_is_too_little(there, tmp_path):
    net, out = random_detector(), tmp_path / "out"
    there(-0.4)  # a small network, so that even less than nothing is free
    with refused("this export would be killed: it needs about 0.*, or leave (symbol|openvino) out"):
        export(net, "symbol,openvino", out, size=64)
    with refused("quantizing would be killed: it needs about 0.*, or give a smaller --num or --size"):
        quantize(net, tmp_path, out, size=64)
    assert not list(tmp_path.glob("**/*.params"))


def test_an_import_is_checked_before_the_weights_are_read(there, tmp_path):
    weights = tmp_path / "large.weights"
    with open(weights, "wb") as file:
        file.truncate(GB)  # no weights of this cfg: they are not looked at
    there(2)
    with refused("^memory: this import would be killed: it needs about .*there is 2.0 GB within the limit"):
        import_darknet(OLD / "tiny.cfg", weights, ["a", "b"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
