"""What a TFLite file has, and what LiteRT's interpreter computes from it."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from gluon_yolo.exporters.tflite.file import schema

KINDS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def opened(content: bytes):
    """Return the file as the schema's objects."""
    assert content[4:8] == b"TFL3"
    return schema.ModelT.InitFromPackedBuf(bytearray(content))


def kinds(content: bytes) -> list[str]:
    """Return TFLite's names of the operators, in order."""
    model = opened(content)
    return [KINDS[model.operatorCodes[step.opcodeIndex].builtinCode] for step in model.subgraphs[0].operators]


def run(content: bytes, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outputs by name; maps (B, H, W, C) as (B, C, H, W)."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    assert given["name"] == "data" and given["dtype"] == np.uint8 and tuple(given["shape"]) == pixels.shape
    interpreter.set_tensor(given["index"], pixels)
    interpreter.invoke()
    found = {out["name"]: interpreter.get_tensor(out["index"]) for out in interpreter.get_output_details()}
    return {name: a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for name, a in found.items()}
