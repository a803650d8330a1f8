"""What ``demo`` says and writes of detections: lines for people, records for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gluon_yolo.boxes import candidates_for
from gluon_yolo.cli.outputs import write_file
from gluon_yolo.structures import Detections
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor

Record = dict[str, Any]


def records(name: str, detections: Detections, class_names: Sequence[str], **more: int) -> list[Record]:
    """Return one plain record per detection, best first."""
    assert detections.scores is not None
    return [
        {
            "image": name,
            **more,
            "class": class_names[class_id],
            "score": round(float(score), 5),
            "box": [round(float(side), 2) for side in box],
        }
        for class_id, score, box in zip(detections.class_ids, detections.scores, detections.boxes)
    ]


def summary(class_ids: np.ndarray, class_names: Sequence[str]) -> str:
    """Say how many objects there are, and of which classes, the most frequent first."""
    counts = Counter(class_ids.tolist()).most_common()
    named = ", ".join(f"{class_names[class_id]} {count}" for class_id, count in counts)
    return counted(len(class_ids), "object") + (f" ({named})" if named else "")


def limit_note(count: int, predictor: Predictor) -> str:
    """Say that a limit cut off what else a predictor's last call would have found; nothing where none did.

    Args:
        count: of the detections of the last picture.
        predictor: that was called.
    """
    most = predictor.max_detections
    if not predictor.left_out or predictor.left_out[-1] <= 0:
        return ""
    own = predictor.network_limit
    if own is not None and own <= count < most:
        return f"{counted(count, 'object')}, the most that the model's own suppression lets stand"
    if count >= most:
        return f"{counted(count, 'object')}, the most that --max-detections {most} allows; there were more"
    compared = predictor.max_candidates or candidates_for(most)
    return (
        f"{counted(count, 'object')} of the best {compared} boxes, and no more were looked at; there may be "
        "more: raise --max-detections"
    )


def milliseconds(timings: dict[str, float]) -> str:
    """Say a predictor's timings."""
    names = {"preprocess": "pre-process", "network": "network", "postprocess": "post-process"}
    return ", ".join(f"{name} {timings[part]:.1f} ms" for part, name in names.items())


def write_json(path: Path, found: list[Record]) -> None:
    """Write the records, whole or not at all.

    Raises:
        UserError: when the file cannot be written.
    """
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in found)
    write_file("--json", path, f"[\n{lines}\n]\n")
