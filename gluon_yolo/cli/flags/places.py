"""Where a flag's value is from that is not on the command line: an error blames that, and not the flag."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gluon_yolo.cli.calling import flag_of
from gluon_yolo.cli.train_flags import recipe_flags
from gluon_yolo.errors import SettingError, UserError

if TYPE_CHECKING:
    from gluon_yolo.data.source import Source
    from gluon_yolo.models.build import Architecture

Places = Mapping[str, str]


def places_of(
    given: Mapping[str, Any],
    source: Source,
    architecture: Architecture,
    from_data: Mapping[str, Any],
    from_network: Mapping[str, Any],
) -> Places:
    """Return, by the flag's name in Python, what decides it in a new run; nothing of those that are given.

    Args:
        given: the flags on the command line.
        source: the data set.
        architecture: of the network.
        from_data: the flags that the data's own file says.
        from_network: those that the network's own file says.
    """
    recipe = dict.fromkeys(recipe_flags(given), f"--recipe {given.get('recipe')}")
    places = {
        **{flag: architecture.place_of(flag) for flag in from_network},
        **recipe,
        **{flag: source.place_of(flag) for flag in from_data},
    }
    return {flag: place for flag, place in places.items() if flag not in given}


@contextmanager
def blamed(places: Places) -> Iterator[None]:
    """Turn an error about a flag into one about the place that its value is from.

    Raises:
        UserError: as the work within does; one that begins with a flag of ``places`` begins with its place.
    """
    try:
        yield
    except UserError as error:
        said = error.named(flag_of) if isinstance(error, SettingError) else str(error)
        flag = re.match(r"--([a-z-]+)", said)
        place = places.get(flag[1].replace("-", "_")) if flag else None
        if place is None:
            raise
        raise UserError(f"{place}: as {said}") from error
