"""The peer's side of peer_training.py, which runs in the peer's own environment and imports nothing else.

python peer_training_side.py train NETWORK DATA.yaml EPOCHS SIZE SEED BATCH THREADS OUT
python peer_training_side.py detect OUT VOC_FOLDER SIZE DETECTIONS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST_SCORE, IOU, MOST = 0.01, 0.45, 100  # as this package's evaluation


def train(
    network: str, data: str, epochs: str, size: str, seed: str, batch: str, threads: str, out: str
) -> None:
    """Train with the peer's own settings; only the last epoch is validated."""
    import torch
    from ultralytics import YOLO

    torch.set_num_threads(int(threads))
    YOLO(network).train(
        data=data,
        epochs=int(epochs),
        imgsz=int(size),
        seed=int(seed),
        batch=int(batch),
        workers=2,
        device="cpu",
        pretrained=False,
        val=False,
        plots=False,
        project=out,
        name="peer",
    )


def detect(out: str, voc: str, size: str, detections: str) -> None:
    """Write the detections of the last weights in the test images: corners in pixels, scores, names."""
    from ultralytics import YOLO

    model = YOLO(Path(out) / "peer" / "weights" / "last.pt")
    stems = (Path(voc) / "ImageSets" / "Main" / "test.txt").read_text().split()
    found = {}
    for stem in stems:
        image = Path(voc) / "JPEGImages" / f"{stem}.jpg"
        (seen,) = model.predict(
            image, imgsz=int(size), conf=LEAST_SCORE, iou=IOU, max_det=MOST, device="cpu", verbose=False
        )
        boxes = seen.boxes
        found[stem] = {
            "boxes": boxes.xyxy.tolist(),
            "scores": boxes.conf.tolist(),
            "names": [seen.names[int(class_id)] for class_id in boxes.cls.tolist()],
        }
    Path(detections).write_text(json.dumps(found))


if __name__ == "__main__":
    {"train": train, "detect": detect}[sys.argv[1]](*sys.argv[2:])
