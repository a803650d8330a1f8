"""The published weights that fit a network, GluonCV's among them, as a table; and fetching them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.detector import family_of
from gluon_yolo.tables import aligned
from gluon_yolo.weights.gluoncv import FAMILIES
from gluon_yolo.weights.gluoncv_store import kept_file, store_file
from gluon_yolo.weights.published import Published, named, published_for

_GLUONCV = "gluoncv/"


@dataclasses.dataclass(frozen=True)
class Offer:
    """Weights that can be had.

    Args:
        name: of the weights.
        family: of the networks whose backbone they fit.
        licence: of the weights.
        source: host or store that has them.
        path: of the file here; None where it is not here yet.
        published: the record; None for GluonCV's.
    """

    name: str
    family: str
    licence: str
    source: str
    path: Path | None
    published: Published | None

    def fetch(self) -> Path:
        """Return the path of the weights, which are downloaded where they are absent.

        Raises:
            UserError: they cannot be had.
        """
        if self.published is None:
            return Path(store_file(self.name[len(_GLUONCV) :]))
        return self.published.fetch(ask_dead=True)


def offers(network: str | None = None) -> list[Offer]:
    """Return the weights of backbones, in the order in which ``auto`` asks for them.

    Args:
        network: name of a network in any spelling, or of published weights; None is all.

    Raises:
        UserError: there is neither such a network nor such weights.
    """
    families = list(dict.fromkeys(map(family_of, zoo.names())))
    found: list[Offer] = []
    for family in families:
        found += map(_of, published_for(family))
        found += [_gluoncv(family)] if family.startswith(FAMILIES) else []
    if network is None:
        return found
    by_name = [each for each in found if each.name == network]
    if by_name:
        return by_name
    if "/" in network:
        named(network)  # raises an error with the known names
    family = family_of(zoo.canonical(network))
    return [each for each in found if each.family == family]


def fetch_first(some: Sequence[Offer]) -> tuple[Offer, Path]:
    """Return the first of several weights that can be had, and their path.

    Raises:
        UserError: none can be had, each with the reason.
    """
    reasons = []
    for each in some:
        try:
            return each, each.fetch()
        except UserError as error:
            reasons.append(str(error))
    raise UserError("; ".join(dict.fromkeys(reasons)))


def table(some: Sequence[Offer]) -> str:
    """Return lines of network, name, licence, source, and whether the file is here."""
    header = ("network", "weights", "licence", "from", "here")
    rows = [
        (each.family, each.name, each.licence, each.source, "yes" if each.path else "no") for each in some
    ]
    lines = aligned((header, *rows), words=len(header))
    return "\n".join(line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:]))


def _of(each: Published) -> Offer:
    path = each.path if each.path.is_file() else None
    return Offer(each.name, each.family, each.licence, each.host, path, each)


def _gluoncv(family: str) -> Offer:
    name = family[len(FAMILIES) :]
    return Offer(f"{_GLUONCV}{name}", family, "Apache-2.0", "GluonCV's store", kept_file(name), None)
