"""Light YOLO detectors in MXNet: train, evaluate, demonstrate, export.

Importing this package is quick and imports no mxnet: each public name is fetched from its module when first
asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gluon_yolo._version import __version__

if TYPE_CHECKING:
    from gluon_yolo.api.benchmark import benchmark
    from gluon_yolo.api.evaluate import evaluate
    from gluon_yolo.api.export import export
    from gluon_yolo.api.import_caffe import import_caffe
    from gluon_yolo.api.import_darknet import import_darknet
    from gluon_yolo.api.import_fastestv2 import import_fastestv2
    from gluon_yolo.api.quantize import quantize
    from gluon_yolo.api.report import write_report
    from gluon_yolo.api.summary import summary
    from gluon_yolo.api.train import train
    from gluon_yolo.data.registry import open_source
    from gluon_yolo.detections import Detections
    from gluon_yolo.inference.face_landmarks import FaceLandmarks
    from gluon_yolo.inference.predictor import Predictor
    from gluon_yolo.inference.preprocess import load_image
    from gluon_yolo.models.zoo import build
    from gluon_yolo.spec import DetectionSpec
    from gluon_yolo.training.callbacks.base import Callback
    from gluon_yolo.training.config import TrainConfig

__all__ = [
    "Callback",
    "DetectionSpec",
    "Detections",
    "FaceLandmarks",
    "Predictor",
    "TrainConfig",
    "__version__",
    "benchmark",
    "build",
    "evaluate",
    "export",
    "import_caffe",
    "import_darknet",
    "import_fastestv2",
    "load_image",
    "open_source",
    "quantize",
    "summary",
    "train",
    "write_report",
]

_HOMES = {
    "Callback": "gluon_yolo.training.callbacks.base",
    "DetectionSpec": "gluon_yolo.spec",
    "Detections": "gluon_yolo.detections",
    "FaceLandmarks": "gluon_yolo.inference.face_landmarks",
    "Predictor": "gluon_yolo.inference.predictor",
    "TrainConfig": "gluon_yolo.training.config",
    "benchmark": "gluon_yolo.api.benchmark",
    "build": "gluon_yolo.models.zoo",
    "evaluate": "gluon_yolo.api.evaluate",
    "export": "gluon_yolo.api.export",
    "import_caffe": "gluon_yolo.api.import_caffe",
    "import_darknet": "gluon_yolo.api.import_darknet",
    "import_fastestv2": "gluon_yolo.api.import_fastestv2",
    "load_image": "gluon_yolo.inference.preprocess",
    "open_source": "gluon_yolo.data.registry",
    "quantize": "gluon_yolo.api.quantize",
    "summary": "gluon_yolo.api.summary",
    "train": "gluon_yolo.api.train",
    "write_report": "gluon_yolo.api.report",
}


def __getattr__(name: str) -> Any:
    """Fetch a public name from the module that defines it (PEP 562) and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
