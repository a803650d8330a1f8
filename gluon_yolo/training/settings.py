"""Settings: every setting of a training, with its default and a comment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.spec import Anchors

RANDOM_SHAPES = tuple((side, side) for side in range(320, 609, 32))


def _field(default: Any, comment: str) -> Any:
    return dataclasses.field(default=default, metadata={"comment": comment})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The fields of :class:`gluon_yolo.training.config.TrainConfig`, in the order of ``config.yaml``."""

    network: str = _field("mobilenet1_0", "what to train: a network of the zoo, or a darknet .cfg")
    epochs: int = _field(200, "of the whole training, warm-up included")
    batch_size: int = _field(64, "images of a step, over all devices; -1 or auto: as many as fit")
    data_shape: tuple[int, int] = _field((416, 416), "height and width of the input, and of validation")
    random_shape: bool = _field(True, "train at sizes drawn from random_shapes instead")
    random_shapes: tuple[tuple[int, int], ...] = _field(RANDOM_SHAPES, "heights and widths to draw from")
    shape_interval: int = _field(10, "batches of one drawn size in a row")
    anchors: Anchors | str | None = _field(
        None, "own (null), better, auto, or a list of width,height in pixels of the input"
    )
    lr: float = _field(0.001, "learning rate after the warm-up")
    lr_mode: str = _field("step", "how it falls: step, poly, cosine, exponential or constant")
    lr_decay: float | Sequence[float] = _field(
        0.1, "factor at each decay epoch, or one for each; of an epoch where exponential"
    )
    lr_decay_epoch: tuple[float, ...] = _field((160, 180), "epochs at which it decays (step)")
    lr_decay_period: float = _field(0, "decay every so many epochs instead, when above 0")
    lr_power: float = _field(2.0, "exponent of poly")
    target_lr: float = _field(0.0, "where poly and cosine end")
    cosine_epochs: int = _field(0, "epoch at which cosine ends, when above 0, else the last")
    warmup_epochs: float = _field(0, "epochs of warm-up, perhaps a part of one")
    warmup_lr: float = _field(0.0, "learning rate that the warm-up starts from")
    warmup_power: float = _field(1.0, "exponent of the warm-up; 1 is a straight line")
    optimizer: str = _field("sgd", "sgd (stochastic gradient descent) or adamw")
    momentum: float = _field(0.9, "of stochastic gradient descent; beta1 of AdamW")
    wd: float = _field(0.0005, "weight decay")
    no_wd: bool = _field(False, "no weight decay on biases and batch normalisation")
    syncbn: bool = _field(False, "normalise over the batch of all devices")
    freeze_bn: bool = _field(False, "keep batch normalisation as loaded")
    mixup: bool = _field(False, "mix pairs of images")
    no_mixup_epochs: int = _field(20, "epochs without mixup at the end")
    no_mosaic_epochs: int = _field(0, "epochs without mosaic at the end")
    box_loss: str = _field(
        "auto", "yolo3 (centre and size apart), giou, diou, ciou, or auto: the network's own"
    )
    assigner: str = _field(
        "auto", "anchors of an object: best_shape, neighbours, overlap, dynamic, better or auto"
    )
    spp: bool = _field(False, "a spatial pyramid pooling in YOLOv3's neck")
    ema: bool = _field(False, "validate, save and export the moving average of the weights")
    ema_decay: float = _field(0.999, "share of the average that an update keeps, after the ramp-up")
    ema_ramp_up: float = _field(300.0, "updates in which that share grows to two thirds of it; 0: none")
    loss_scale: float = _field(
        1.0, "factor of the losses before the backward pass; gradients are divided by it"
    )
    teacher: str | None = _field(
        None, "learn from this detector too: a run, a model's folder, a network's name or a darknet .cfg"
    )
    teacher_weights: str | None = _field(None, "weights of a teacher that is a name or a .cfg")
    teacher_classes: str | None = _field(None, "file of that teacher's class names, one a line")
    distil_weight: float = _field(
        1.0, "weight of the losses against the teacher, beside 1 of the annotations"
    )
    label_smooth: bool = _field(False, "soften class targets")
    label_smooth_factor: float | None = _field(None, "by how much; null is GluonCV's")
    augment: str = _field("yolo3", "presets and transforms: light, overhead, yolo3, none, mosaic, ...")
    pretrained: bool = _field(False, "start from GluonCV's weights of the whole detector")
    pretrained_base: str = _field(
        "auto", "backbone's ImageNet weights: yes, no, auto (if they can be had), a file, a URL, or a name"
    )
    weights: str | None = _field(None, "start from this file or run, as far as it fits")
    freeze: str | None = _field(None, "layers to keep as loaded: the first N, or names, commas between")
    start_epoch: int = _field(0, "first epoch to train")
    num_samples: int = _field(0, "images of an epoch; 0 or -1: all")
    num_workers: int = _field(2, "threads or processes that prepare images")
    worker_type: str = _field("auto", "thread, process, or auto: processes where there are more than four")
    seed: int = _field(233, "of everything random")
    log_interval: int = _field(100, "batches between log lines")
    val_interval: int = _field(1, "epochs between validations; the last epoch is always validated")
    val_metric: str = _field(
        "auto", "score that decides which epoch is best: auto, fitness, voc07, voc or coco"
    )
    max_detections: int = _field(
        USUAL_DETECTIONS, "of an image in validation, at most; the model's record keeps it"
    )
    patience: int = _field(0, "validations without a better score that end the training; 0: none do")
    hours: float = _field(0.0, "of the training, at most; it ends with a whole epoch; 0: no limit")
    rollbacks: int = _field(3, "times that a run that diverges may go back to its last checkpoint, at most")
    save_interval: int = _field(10, "epochs between kept snapshots; 0 keeps none")
    report: bool = _field(False, "write report.html, the run's page")
    tensorboard: bool = _field(False, "write TensorBoard's event files")
    jsonl: bool = _field(False, "write log.jsonl: an object a line, for other programs")
    profile: int = _field(0, "steps of the first epoch to record with the engine's profiler")
    data: str | None = _field(None, "the data set: a folder or a file")
    format: str | None = _field(None, "voc, coco, yolo, record, keras or wider; null: by what is there")
    dataset: str | None = _field("voc", "published data in the place of data: voc or coco")
    data_root: str | None = _field(None, "where dataset lies; null: GluonCV's place")
    train_split: str | None = _field(None, "part to train on, where names do not tell")
    val_split: str | None = _field(None, "part to validate on, likewise")
    classes: str | None = _field(None, "file of class names, one a line")
    only: str | None = _field(None, "classes to use alone, commas between")
    class_map: str | None = _field(None, "file of lines NAME = OTHER NAME")
    skip_bad: bool = _field(False, "leave out images and labels that cannot be used")
    recipe: str | None = _field(None, "other defaults, for a purpose (gluon_yolo.training.recipes)")
    engine: str = _field("auto", "what computes the training: mxnet, torch, or auto")
    precision: str = _field("float32", "of the network's arithmetic: float32, tf32 or bfloat16 (torch)")
    compile: bool = _field(False, "compile the network by torch.compile")
    deterministic: bool = _field(False, "ask torch for the same bits in every run on a GPU")
    gpus: str | None = _field(None, "GPUs to train on; empty is the CPU; null: GPU 0 if usable, else the CPU")
    cpu_devices: int = _field(0, "CPU contexts in the place of GPUs, when above 0")
    hosts: str | None = _field(None, "that train together: 2, or the least and the most, 1:2; null: this one")
    meet: str | None = _field(None, "HOST:PORT of one of the hosts, where they meet")
    run_id: str | None = _field(None, "names the run on all hosts; a new start with it goes on with the run")
    restarts: int = _field(3, "faults after which several processes start again from the last checkpoint")
    process_timeout: float = _field(300.0, "seconds that processes and hosts wait for one that is silent")
    memory: float | None = _field(None, "GB that a training on the CPU may take; null: what is left")
    name: str | None = _field(None, "of the run and its exports; null: after the data")
    save_prefix: str = _field("runs/", "the run's folder is this, the name or else the network, and a number")
