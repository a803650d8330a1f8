"""The forms of a network side by side: which are in memory at once."""

from __future__ import annotations

import weakref

from gluon_yolo.exporters.quantize import compare
from gluon_yolo.exporters.quantize.quantized import Row


def test_only_the_forms_of_one_format_are_loaded_while_they_are_timed(monkeypatch):
    monkeypatch.setattr(compare, "ROUNDS", 3)
    loaded: weakref.WeakSet = weakref.WeakSet()
    together: set[tuple[str, ...]] = set()

    class Form:
        def __init__(self, name: str) -> None:
            self.name = name
            loaded.add(self)

        def __call__(self, pixels):
            assert pixels.shape == (1, 64, 96, 3)
            together.add(tuple(sorted(form.name for form in loaded)))

    def form(kind: str, precision: str):
        return Row(kind, "any", precision, "", {}, 0), lambda: Form(f"{kind} {precision}")

    forms = [form("symbol", "float32"), form("onnx", "float32"), form("symbol", "int8"), form("onnx", "int8")]
    compare.time_forms(forms, (64, 96))
    assert together == {("symbol float32", "symbol int8"), ("onnx float32", "onnx int8")}
    assert all(row.milliseconds >= 0 for row, _ in forms) and not loaded
