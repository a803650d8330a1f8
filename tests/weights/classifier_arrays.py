"""Made-up weights of another program's classifier, and files of them, without that program.

``benchmarks/imagenet_features.py`` gives the same weights to torchvision's and timm's own code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
SIDE = 64


def made_up(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Return weights by name whose maps neither vanish nor explode.

    Those of networks with residual blocks, which add their maps, are smaller: all but MobileNetV1's.
    """
    gain = 2.0 if "blocks.4.1.conv_dw.weight" in shapes and "conv_head.weight" not in shapes else 0.7
    arrays = {}
    for name, shape in shapes.items():
        random = np.random.default_rng(zlib.crc32(name.encode()))
        kind = name.rpartition(".")[2]
        if kind == "num_batches_tracked":
            arrays[name] = np.array(7, np.int64)
            continue
        if len(shape) > 1:
            values = random.normal(size=shape) * np.sqrt(gain / np.prod(shape[1:]))
        elif kind in ("weight", "running_var"):
            values = random.uniform(0.5, 1.5, shape)
        else:
            values = random.normal(size=shape) * 0.1
        arrays[name] = values.astype(np.float16).astype(np.float32)
    return arrays


def pattern() -> np.ndarray:
    """Return an image (SIDE, SIDE, 3), uint8, with edges and slopes in all channels."""
    y, x, channel = np.mgrid[:SIDE, :SIDE, :3]
    return ((x * (3 + channel) + y * (5 - channel) + 60 * ((x // 8 + y // 8) % 2)) % 256).astype(np.uint8)


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], **metadata: str) -> Path:
    """Write a file as the library of safetensors does."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    place = 0
    for name, array in arrays.items():
        end = place + array.nbytes
        header[name] = {
            "dtype": _TYPES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [place, end],
        }
        place = end
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())
    return path
