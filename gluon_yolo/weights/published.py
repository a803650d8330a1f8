"""ImageNet weights that other projects publish, and the networks here whose backbone they fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.system.cache import cache_folder
from gluon_yolo.text import did_you_mean
from gluon_yolo.weights.download import Checksum, NoDownload, fetch, host_of

HUB = "https://huggingface.co"
_TIMM, _TIMM_LICENCE = "timm", "Apache-2.0"
_RELEASES = "https://github.com/rwightman/pytorch-image-models/releases/download"
_CONFIG = "config.json"


@dataclasses.dataclass(frozen=True)
class Published:
    """A published weights file.

    Args:
        name: of the weights, as ``gluon-yolo weights`` lists it; on Hugging Face its name there.
        family: of the networks whose backbone it fits.
        project: that publishes it.
        licence: of the weights, as that project states it.
        url: of the file.
        checksum: of the file; None where the host sends it.
        auto: whether ``--pretrained-base auto`` asks for it.
    """

    name: str
    family: str
    project: str
    licence: str
    url: str
    checksum: Checksum | None = None
    auto: bool = True

    @property
    def host(self) -> str:
        """The host of the file."""
        return host_of(self.url)

    @property
    def path(self) -> Path:
        """The path of the file in the cache."""
        return cache_folder() / "weights" / self.name.replace("/", "--") / self.url.rpartition("/")[2]

    def fetch(self, ask_dead: bool = False) -> Path:
        """Return the path of the file, which is downloaded where it is absent.

        Args:
            ask_dead: also ask a host that did not answer within the last day.

        Raises:
            NoDownload: it cannot be had.
        """
        if self.path.is_file():
            return self.path
        if self.url.startswith(HUB):  # timm's record of mean and deviation
            fetch(f"{self.url.rpartition('/')[0]}/{_CONFIG}", self.path.with_name(_CONFIG), None, ask_dead)
        return fetch(self.url, self.path, self.checksum, ask_dead)


def _hub(name: str, family: str) -> Published:
    """Return timm's weights on Hugging Face, which sends their checksum."""
    url = f"{HUB}/{name}/resolve/main/model.safetensors"
    return Published(name, family, _TIMM, _TIMM_LICENCE, url)


PUBLISHED = (
    _hub("timm/mobilenetv1_100.ra4_e3600_r224_in1k", "yolo3_mobilenet1.0"),
    Published(
        "torchvision/mobilenet_v2.imagenet1k_v1",
        "yolo3_mobilenetv2_1.0",
        "torchvision",
        "BSD-3-Clause",
        "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        Checksum("sha256", "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"),
    ),
    _hub("timm/mobilenetv2_100.ra_in1k", "yolo3_mobilenetv2_1.0"),
    Published(
        "timm/mobilenetv2_100_ra",
        "yolo3_mobilenetv2_1.0",
        _TIMM,
        _TIMM_LICENCE,
        f"{_RELEASES}/v0.1-weights/mobilenetv2_100_ra-b33bc2c4.pth",
        Checksum("sha256", "b33bc2c4"),
        auto=False,
    ),
    _hub("timm/mobilenetv2_050.lamb_in1k", "yolo3_mobilenetv2_0.5"),
    _hub("timm/darknet53.c2ns_in1k", "yolo3_darknet53"),
    Published(
        "timm/darknet53_256_c2ns",
        "yolo3_darknet53",
        _TIMM,
        _TIMM_LICENCE,
        f"{_RELEASES}/v0.1-tpu-weights/darknet53_256_c2ns-3aeff817.pth",
        Checksum("sha256", "3aeff817"),
    ),
    Published(
        "dog-qiuqiu/yolo-fastestv2-backbone",
        "yolo_fastestv2",
        "dog-qiuqiu/Yolo-FastestV2",
        "not stated",
        "https://github.com/dog-qiuqiu/Yolo-FastestV2/raw/main/model/backbone/backbone.pth",
        Checksum("sha256", "c9e6e3ac1c4997e05529cfb4897a3b5d29165e3ed4105cfb6897fc11efa72e4b"),
        auto=False,
    ),
)


def published_for(family: str) -> tuple[Published, ...]:
    """Return the weights that fit the backbone of a family of networks, the first choice first."""
    return tuple(each for each in PUBLISHED if each.family == family)


def named(name: str) -> Published:
    """Return published weights by name.

    Raises:
        UserError: there are none; the message has the known ones.
    """
    for each in PUBLISHED:
        if each.name == name:
            return each
    names = [each.name for each in PUBLISHED]
    raise UserError(f"{name}: {did_you_mean(name, names)}there is {', '.join(names)}")


def find_for(family: str, ask_dead: bool = False) -> tuple[Path | None, tuple[str, ...]]:
    """Return weights for a family of networks: those in the cache, else the first that can be downloaded.

    Args:
        family: of the network.
        ask_dead: also ask hosts that did not answer within the last day.

    Returns:
        The path, None where none can be had; and the reasons why each place asked gave nothing.
    """
    places = [each for each in published_for(family) if each.auto]
    for each in places:
        if each.path.is_file():
            return each.path, ()
    reasons: list[str] = []
    for each in places:
        try:
            return each.fetch(ask_dead), ()
        except NoDownload as error:
            reasons.append(str(error))
    return None, tuple(dict.fromkeys(reasons))
