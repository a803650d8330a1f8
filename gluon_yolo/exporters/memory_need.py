"""The memory that an import, an export or a quantization needs, from the network's size and measured factors.

``benchmarks/conversion_memory.py`` measured the factors; its table shows the error of the estimates.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo.errors import SettingError, SettingText
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.models.summary import summarize
from gluon_yolo.system import memory

log = logging.getLogger("gluon_yolo")

FLOAT = 4  # bytes
LARGE = 1e9  # bytes; a smaller need gets no line in the log
_BASE = 330e6  # Python, mxnet and OpenCV
END_OTHERS = "End other programs, or raise the limit"


class Factors(NamedTuple):
    """How often a network is held at the peak.

    Args:
        weights: times the bytes of all weights.
        maps: times the bytes of all operators' outputs for one image.
        base: bytes beyond those of every process: of other libraries.
    """

    weights: float
    maps: float
    base: float = 0.0


class NetworkBytes(NamedTuple):
    """The size of a network in memory, in bytes.

    Args:
        weights: all weights and statistics, in float32.
        maps: the outputs of all operators for one image.
    """

    weights: float
    maps: float

    @classmethod
    def of(cls, net: Any, size_hw: tuple[int, int]) -> NetworkBytes:
        """Return the size of a network, whose weights need not be there yet.

        Args:
            net: a detector or a landmark network.
            size_hw: height and width of its input in pixels.

        Raises:
            UserError: the size does not suit the network.
        """
        check_size(size_hw, net.spec)
        counts = summarize(net, size_hw)
        maps = sum(math.prod(layer.output) for layer in counts.layers)
        return cls(FLOAT * float(counts.parameters), FLOAT * float(maps))

    def times(self, factors: Factors) -> float:
        """Return the bytes of a process at its peak."""
        return _BASE + factors.base + factors.weights * self.weights + factors.maps * self.maps


IMPORT = 7.1  # times the bytes of the weights files
EXPORT: Mapping[str, Factors] = {
    "symbol": Factors(6.5, 0.5),
    "onnx": Factors(7.3, 0.7),
    "openvino": Factors(9.5, 0.85),
    "mnn": Factors(7.7, 0.45),
    "ncnn": Factors(7.2, 0.4),
    "darknet": Factors(6.6, 0.4),
    "tflite": Factors(7.4, 0.4),
    "caffe": Factors(10.4, 0.1),
}
_KEPT = 0.35  # of each further format: times all weights
# With the float files, which are written and scored first, and the libraries of the scores.
INT8: Mapping[str, Factors] = {
    "symbol": Factors(8.0, 0.8, 150e6),
    "onnx": Factors(10.0, 0.9, 150e6),
    "tflite": Factors(10.0, 0.9, 150e6),
}


def check_import(*weights: Path) -> None:
    """Check that an import of weights files fits the free memory, before they are read.

    Raises:
        SettingError: it certainly does not.
    """
    check(of_import(*weights), "this import", END_OTHERS)


def check_export(net: Any, size_hw: tuple[int, int], formats: Sequence[str]) -> None:
    """Check that an export fits the free memory, before the first format is written.

    Raises:
        SettingError: it certainly does not.
    """
    dearest, need = of_export(net, size_hw, formats)
    others = f", or leave {dearest} out, which takes the most" if len(set(formats)) > 1 else ""
    check(need, "this export", f"{END_OTHERS}{others}")


def check_quantize(net: Any, size_hw: tuple[int, int], formats: Sequence[str], images: int) -> None:
    """Check that a quantization fits the free memory, before an image is read.

    Raises:
        SettingError: it certainly does not.
    """
    remedy = f"{END_OTHERS}, or give a smaller {{num}} or {{size}}"
    check(of_quantize(net, size_hw, formats, images), "quantizing", remedy)


def of_import(*weights: Path) -> float:
    """Return the bytes of a process that imports a network from weights files, by the files' sizes."""
    return _BASE + IMPORT * sum(path.stat().st_size for path in weights if path.is_file())


def of_export(net: Any, size_hw: tuple[int, int], formats: Sequence[str]) -> tuple[str, float]:
    """Return the format that takes the most memory, and the bytes of a process that exports a network."""
    size = NetworkBytes.of(net, size_hw)
    needs = {kind: size.times(EXPORT[kind]) for kind in formats if kind in EXPORT}
    kept = (len(needs) - 1) * _KEPT * size.weights
    dearest = max(needs, key=lambda kind: needs[kind], default="")
    return dearest, needs.get(dearest, 0.0) + kept if needs else 0.0


def of_quantize(net: Any, size_hw: tuple[int, int], formats: Sequence[str], images: int) -> float:
    """Return the bytes of a process that quantizes a network.

    Args:
        net: the network.
        size_hw: height and width of its input in pixels.
        formats: of int8, one of which is made after the other.
        images: to calibrate on, which are all in memory.
    """
    size = NetworkBytes.of(net, size_hw)
    dearest = max((size.times(INT8[kind]) for kind in formats), default=0.0)
    return dearest + 3 * math.prod(size_hw) * images


def check(need: float, what: str, remedy: str) -> None:
    """Compare a need with the free memory, and log it where it is large, or may be more than there is.

    Args:
        need: bytes of this process at its peak.
        what: needs them: ``this export``.
        remedy: what to do where they are not there, with setting names in braces.

    Raises:
        SettingError: there is certainly too little.
    """
    there, held = memory.look(), memory.resident() or 0
    about = f"about {need / memory.GB:.1f} GB of memory"
    if there is None:
        if need > LARGE:
            log.info("memory: %s needs %s", what, about)
        return
    more = max(0.0, need - held)
    about = f"{about}, of which it has {held / memory.GB:.1f} GB; there is {there}"
    fate = there.fate(more)
    said = f"{what} {fate}: it needs {about}. {remedy}"
    if fate == memory.KILLED:
        raise SettingError(f"memory: {said}")
    if fate:
        log.warning("%s", SettingText(said))
    elif need > LARGE:
        log.info("memory: %s needs %s", what, about)
