"""The predictor of an evaluation: loaded from a path, or a copy of one with other limits."""

from __future__ import annotations

from typing import Any

from gluon_yolo.api.evaluation_data import given
from gluon_yolo.api.model import ModelLike, path_of
from gluon_yolo.errors import SettingError
from gluon_yolo.inference import postprocess
from gluon_yolo.inference.predictor import AUTO, Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.input_size import parse_size
from gluon_yolo.nms import NMS_THRESHOLD, candidates_for

# The usual 100 detections and 400 candidates cost two models 2.1 and 1.3 points of Hard: docs/evaluation.md.
_WIDER_DETECTIONS, _WIDER_CANDIDATES = 1000, 5000


def predictor_of(model: ModelLike, asked: dict[str, Any], loaded: dict[str, Any]) -> Predictor:
    """Load a model, or copy a Predictor with other thresholds.

    Args:
        model: a path, a Predictor, or the result of ``train``.
        asked: thresholds and limits, which apply to any Predictor; None keeps its own.
        loaded: settings that apply only when a model is loaded.

    Raises:
        SettingError: ``model`` is a Predictor and ``loaded`` has a setting.
    """
    asked, loaded = given(asked), given(loaded)
    for name in ("overlap", "tile_whole"):
        if name in asked and "tile" not in asked and getattr(model, "tile", None) is None:
            raise SettingError(f"{{{name}}}: goes with {{tile}}, which cuts the pictures")
    if isinstance(model, Predictor):
        if loaded:
            name = next(iter(loaded))
            raise SettingError(f"{{{name}}}: the Predictor has its own; give it to Predictor.load")
        return model.replace(**asked)
    if "size" in loaded:
        loaded["size_hw"] = parse_size(loaded.pop("size"))
    if isinstance(loaded.get("fit"), str):
        loaded["fit"] = Preprocess(loaded["fit"])
    runtime = loaded.pop("runtime", AUTO)
    return Predictor.load(path_of(model), runtime, **{"nms_threshold": NMS_THRESHOLD, **asked, **loaded})


def for_dense_images(
    predictor: Predictor, max_detections: int | None, max_candidates: int | None
) -> Predictor:
    """Return a predictor with limits for WIDER FACE: 1,000 detections, 5,000 candidates; its own if larger.

    Args:
        predictor: the model.
        max_detections: what the user gave; it is kept.
        max_candidates: likewise.
    """
    most = max_detections or max(predictor.max_detections, _WIDER_DETECTIONS)
    usual = max(predictor.max_candidates or 0, candidates_for(most), _WIDER_CANDIDATES)
    if predictor.network_limit is not None and most > predictor.max_detections:
        place = f"{predictor.name or 'the model'}: {predictor.runtime}"
        postprocess.warn_of_limit(place, predictor.network_limit, most)
    return predictor.replace(max_detections=most, max_candidates=max_candidates or usual)
