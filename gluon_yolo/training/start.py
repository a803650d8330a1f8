"""Start: the file that a run's weights begin with, found before its network is built."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gluon_yolo.errors import SettingError
from gluon_yolo.inference.model_files import weights_file
from gluon_yolo.models.detector import family_of
from gluon_yolo.spec import BackboneForm
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.config_check import BACKBONE_WEIGHTS
from gluon_yolo.weights import dead_hosts, published
from gluon_yolo.weights.download import NoDownload
from gluon_yolo.weights.form import form_for
from gluon_yolo.weights.gluoncv import FAMILIES
from gluon_yolo.weights.gluoncv_store import kept_file
from gluon_yolo.weights.remote import fetch_remote, is_remote


class Start(NamedTuple):
    """The file that a run's weights begin with.

    Args:
        path: the file; None where there is none, or where GluonCV's store has it.
        form: of the backbone that it needs.
        reasons: why the places that were asked for a backbone gave nothing.
    """

    path: Path | None = None
    form: BackboneForm = BackboneForm()
    reasons: tuple[str, ...] = ()


def find_start(network: str, config: TrainConfig) -> Start:
    """Find, or download, the file of the starting weights.

    Args:
        network: name of the network.
        config: of the run.

    Raises:
        UserError: the named weights cannot be had or read.
    """
    base = config.pretrained_base
    if config.weights:
        return _of_file(weights_file(Path(config.weights)), network)
    if config.pretrained or base == "no":
        return Start()
    if base not in BACKBONE_WEIGHTS:
        return _of_file(_fetched(base) if is_remote(base) else weights_file(Path(base)), network)
    family = family_of(network)
    if base == "yes":
        dead_hosts.forget()
    if family.startswith(FAMILIES) and kept_file(family[len(FAMILIES) :]):
        return Start()
    path, reasons = published.find_for(family, ask_dead=base == "yes")
    return Start(reasons=reasons) if path is None else _of_file(path, network)


def find_again(network: str, config: TrainConfig, form: BackboneForm) -> Start:
    """Find the file of the starting weights of a run that begins again in its folder.

    Args:
        network: name of the network.
        config: of the run.
        form: of the backbone in the folder's record, which stays: weights that ``auto`` finds only now are
            left out if they need another one.

    Raises:
        UserError: the named weights cannot be had or read.
    """
    found = find_start(network, config)
    if found.path is None or found.form == form or config.pretrained_base not in BACKBONE_WEIGHTS:
        return found._replace(form=form)
    return Start(form=form, reasons=(f"{found.path}: not of the backbone with which the run began",))


def _fetched(base: str) -> Path:
    try:
        return fetch_remote(base)
    except NoDownload as error:
        raise SettingError(
            f"{{pretrained_base}}: {error}; get the file another way and name it, or start without: "
            "{pretrained_base} no"
        ) from error


def _of_file(path: Path, network: str) -> Start:
    return Start(path, form_for(path, network))
