"""Write the maps of torchvision's and timm's own networks, which the tests of imported backbones expect.

Run it in an environment with torch, torchvision and timm, from the project's root::

    python benchmarks/imagenet_features.py [../shared/data]

It writes ``tests/weights/imagenet_features.npz``: for each network the names and shapes of its arrays, and
every sixteenth channel of its three maps, for made-up weights and a made-up image; and, where the folder has
the real weights, for two images.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
import torchvision

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.weights.classifier_arrays import made_up, pattern  # noqa: E402

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
# Blocks after which the maps of stride 8, 16, 32 are taken: by timm's or torchvision's own index.
NETWORKS = {
    "torchvision_mobilenetv2": (torchvision.models.mobilenet_v2, IMAGENET, (6, 13, 18)),
    "timm_mobilenetv2": (lambda: timm.create_model("mobilenetv2_100"), IMAGENET, (2, 4, None)),
    "timm_mobilenetv2_050": (lambda: timm.create_model("mobilenetv2_050"), IMAGENET, (2, 4, None)),
    "timm_mobilenet": (lambda: timm.create_model("mobilenetv1_100"), HALF, (2, 3, 4)),
    "timm_darknet53": (lambda: timm.create_model("darknet53"), IMAGENET, (2, 3, 4)),
}
REAL = {
    "torchvision_mobilenetv2": "mobilenet_v2-b0353104.pth",
    "timm_mobilenet": "mobilenetv1_100.safetensors",
}
IMAGES = ("dog", "eagle")


def maps(network: torch.nn.Module, pixels: np.ndarray, colours: tuple, after: tuple) -> list[np.ndarray]:
    """Return the maps of an image (H, W, 3), uint8."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in colours)
    x = (torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] / 255 - mean) / std
    if hasattr(network, "features"):
        blocks = network.features
    elif hasattr(network, "stem"):
        x, blocks = network.stem(x), network.stages
    else:
        x, blocks = network.bn1(network.conv_stem(x)), network.blocks
    found = []
    for index, block in enumerate(blocks):
        x = block(x)
        if index in after:
            found.append(x)
    if None in after:
        found.append(network.bn2(network.conv_head(x)))
    return [every[0, ::16].numpy() for every in found]


def image(path: Path) -> np.ndarray:
    """Return the top left part of an image, thinned to one pixel of four in each direction."""
    return cv2.imread(str(path))[::4, ::4, ::-1][:96, :128]


@torch.no_grad()
def main() -> None:
    """Write the file."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared" / "data")
    torch.set_num_threads(1)
    out: dict[str, np.ndarray] = {}
    for name, (build, colours, after) in NETWORKS.items():
        network = build().eval()
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
        arrays = {key: torch.from_numpy(value) for key, value in made_up(shapes).items()}
        network.load_state_dict(arrays)
        out[f"{name}/shapes"] = np.array(json.dumps(shapes))
        for level, values in enumerate(maps(network, pattern(), colours, after)):
            out[f"{name}/{level}"] = values
        if name in REAL:
            file = data / "imagenet" / REAL[name]
            if file.suffix == ".pth":
                network.load_state_dict(torch.load(file, weights_only=True))
            else:
                from safetensors.torch import load_file

                network.load_state_dict(load_file(file))
            for stem in IMAGES:
                pixels = image(data / "images" / f"{stem}.jpg")
                out[f"{stem}/crc"] = np.array(zlib.crc32(pixels.tobytes()))
                for level, values in enumerate(maps(network, pixels, colours, after)):
                    out[f"{name}/{stem}/{level}"] = values
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}")
    for key, values in out.items():
        print(key, values.shape, f"{np.abs(values).max():.3f}" if values.dtype == np.float32 else "")
    np.savez_compressed(ROOT / "tests" / "weights" / "imagenet_features.npz", **out)


if __name__ == "__main__":
    main()
