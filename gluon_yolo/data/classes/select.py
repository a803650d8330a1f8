"""Selection: parts of a data set opened with the classes that are asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from gluon_yolo.data.classes.read import unknown_classes
from gluon_yolo.data.classes.relabel import Relabelled
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.source import Source
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import did_you_mean


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes that are asked for.

    Args:
        names: all of them, in order; None takes the data's own.
        only: those of them to keep; empty keeps all.
        spellings: what else the data may call them.
    """

    names: tuple[str, ...] | None = None
    only: tuple[str, ...] = ()
    spellings: Spellings = dataclasses.field(default_factory=Spellings)


def open_parts(
    source: Source, splits: Mapping[str, str], classes: Classes, skip_bad: bool = False
) -> dict[str, Dataset]:
    """Open splits of a data set, all with the same classes.

    Args:
        source: the data set.
        splits: by part, such as ``"train"``.
        classes: that are asked for.
        skip_bad: as :meth:`Source.open` takes it.

    Raises:
        UserError: a split cannot be opened, has objects of a class that is not asked for, or ``only`` names a
            class that there is not.
    """
    own = _own_names(source, tuple(splits.values()), classes.names)
    wanted, renamed = _renamed(own, classes)
    if not classes.only and all(new in (name, None) for name, new in renamed.items()):
        return {part: source.open(split, wanted, skip_bad) for part, split in splits.items()}
    return {part: select(source.open(split, own, skip_bad), classes) for part, split in splits.items()}


def select(dataset: Dataset, classes: Classes) -> Dataset:
    """Return a data set that has its own classes with those that are asked for.

    Raises:
        UserError: it has objects of a class that is not asked for, or ``only`` names one that there is not.
    """
    wanted, renamed = _renamed(dataset.class_names, classes)
    kept, only = _kept(wanted, classes)
    unknown = [name for name, new in renamed.items() if new is None and dataset.report.per_class.get(name)]
    if unknown and not classes.only:
        raise unknown_classes({name: dataset.report.title for name in unknown}, wanted)
    pairs = {**{name: new for name, new in renamed.items() if new is not None}, **only}
    others = ", ".join(f"{name} is {new}" for name, new in pairs.items() if new != name)
    if not others and kept == dataset.class_names:
        return dataset
    class_ids = [kept.index(str(new)) if new in kept else -1 for new in renamed.values()]
    return Relabelled(dataset, class_ids, kept, f"classes by another name: {others}" if others else "")


def _own_names(source: Source, splits: Sequence[str], given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the data's own class names; those that are given where it has none."""
    try:
        return source.class_names(splits)
    except UserError:
        if given is None:
            raise
        return given


def _renamed(own: Sequence[str], classes: Classes) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """Return the names of all classes, and for each of the data's own which of them it is, None for none."""
    spellings = classes.spellings
    if classes.names is None:
        spellings.check_used(own)
        renamed: dict[str, str | None] = {name: spellings.rename(name) for name in own}
        return tuple(dict.fromkeys(name for name in renamed.values() if name)), renamed
    spellings.check_used((*own, *classes.names))
    return classes.names, {name: spellings.find(name, classes.names) for name in own}


def _kept(names: tuple[str, ...], classes: Classes) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the names to keep, in the order of all, and what those that are asked for are called here.

    Raises:
        UserError: there is no class of a name.
    """
    only: dict[str, str] = {}
    for name in classes.only:
        found = name if name in names else classes.spellings.find(name, names)
        if found is None:
            hint = did_you_mean(name, names, most=3)
            raise SettingError(f"{{only}} {name}: there is no such class; {hint}there is {', '.join(names)}")
        only[name] = found
    kept = set(only.values())
    return (tuple(name for name in names if name in kept) if only else names), only
