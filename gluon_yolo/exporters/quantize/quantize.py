"""Quantize a network: write each requested form, and score it beside the float network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.errors import SettingText
from gluon_yolo.exporters.quantize import compare
from gluon_yolo.exporters.quantize.compare import Form
from gluon_yolo.exporters.quantize.data import Images, read
from gluon_yolo.exporters.quantize.quantized import SHOWN, Quantized, write_report
from gluon_yolo.exporters.quantize.scorer import Say, accuracy_drop_of
from gluon_yolo.exporters.request import Request
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes.mxnet import from_block, has_bfloat16
from gluon_yolo.system import memory
from gluon_yolo.system.scratch import temporary_folder

FORMATS = ("symbol", "onnx")  # of int8, where none is named
PRECISIONS = ("int8", "bfloat16")
MAX_DROP = 1.0  # points of mAP


def quantize_network(
    request: Request,
    images: Images,
    out: Path,
    precisions: Sequence[str],
    formats: Sequence[str],
    method: str,
    max_drop: float,
    about: Mapping[str, Any],
    say: Say,
    started: float,
) -> Quantized:
    """Calibrate, write, score and compare the forms of a network; write the report at the end.

    Args:
        request: the network, its name, size and thresholds.
        images: to calibrate on, and to score on.
        out: the folder to write to.
        precisions: some of :data:`PRECISIONS`.
        formats: of int8, keys of :data:`gluon_yolo.exporters.quantize.backends.INT8`.
        method: of calibration, or ``best``.
        max_drop: the points that a form may lose.
        about: facts on the model and the data, for the report.
        say: called with each line for the user.
        started: the start of the work, by ``time.perf_counter``; the report has the seconds since then.

    Raises:
        UserError: the images have no object, or the folder cannot be written.
        WrongResults: a float file does not give the network's results.
    """
    reference = from_block(request.net)
    suppression = request.suppression
    accuracy_drop = accuracy_drop_of(
        images,
        reference,
        request.net.spec,
        request.size_hw,
        request.fit,
        say,
        suppression.nms_threshold,
        suppression.max_detections,
        suppression.own_candidates,
    )
    memory.give_back()
    keys, baseline = accuracy_drop.keys, accuracy_drop.baseline
    scores = ", ".join(f"{SHOWN[key]} {100 * baseline[key]:.2f}" for key in keys)
    say(f"float32: {scores}; at most {max_drop:.2f} points may be lost")

    kinds = formats if "int8" in precisions else ["symbol"]
    missed: list[SettingText] = []
    with temporary_folder() as floats:
        forms: list[Form] = compare.in_float(request, kinds, accuracy_drop, floats, say)
        if "int8" in precisions:
            shown = range(len(images.calibration))
            pixels = read(images.calibration, shown, request.size_hw, Preprocess(request.fit))
            more, missed = compare.in_int8(
                request, formats, reference, pixels, accuracy_drop, max_drop, method, out / "int8", say
            )
            forms += more
        if "bfloat16" in precisions and has_bfloat16():
            forms += compare.in_bfloat16(request, accuracy_drop, out / "bfloat16", say)
        elif "bfloat16" in precisions:
            say("bfloat16 is not written: this processor does not compute in it (avx512_bf16)")
        del reference
        compare.time_forms(forms, request.size_hw)

    rows = tuple(row for row, _ in forms)
    missed += compare.too_far(rows, accuracy_drop, max_drop)
    about = {
        **about,
        "pictures": {
            "calibration": len(images.calibration),
            "scoring": len(images.scoring),
            "drawn": images.note,
        },
        "size_hw": list(request.size_hw),
        "scores": "VOC mAP50 against what the model in float finds" if accuracy_drop.agreement else keys,
        "max_drop": max_drop,
        "seconds": time.perf_counter() - started,
    }
    quantized = Quantized(out, rows, keys, about, tuple(missed))
    write_report(quantized)
    return quantized
