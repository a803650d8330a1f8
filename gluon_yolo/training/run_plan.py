"""Plan: the parts of a training before its network is built, from its merged settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source
from gluon_yolo.errors import SettingText
from gluon_yolo.models.build import Architecture
from gluon_yolo.training.config import PLAIN_DEFAULTS, Args
from gluon_yolo.training.config_forms import setting_words
from gluon_yolo.training.engine_choice import Choice, choose_engine
from gluon_yolo.training.memory_fit import cpu_defaults
from gluon_yolo.training.merge import (
    Given,
    Layer,
    Merged,
    decide,
    has_own_size,
    merge,
    warn_of_idle,
)
from gluon_yolo.training.prepare import (
    architecture_of,
)
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.recipe_auto import choose
from gluon_yolo.training.recipes import AUTO
from gluon_yolo.training.resumed import Data, open_resumed, opened
from gluon_yolo.training.run_dir import ARGS, RunFolder


@dataclasses.dataclass(frozen=True)
class Plan:
    """The parts of a training before its network is built.

    Args:
        args: every setting in plain form.
        choice: the engine and its devices.
        architecture: of the network.
        data: training data, validation data, and the class names of both.
        taken: log lines on settings that come from files.
        doubts: warnings for the log.
        own: the defaults of a CPU, which may be reduced.
        places: the origin of each setting, for messages.
        resumed: the run that is resumed, or restarted in its folder.
        processes: which train together.
    """

    args: Args
    choice: Choice
    architecture: Architecture
    data: Data
    taken: Sequence[str | SettingText] = ()
    doubts: Sequence[str | SettingText] = ()
    own: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)
    resumed: RunFolder | None = None
    processes: Processes = dataclasses.field(default_factory=Processes)

    @property
    def goes_on(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return self.resumed is not None and not self.resumed.is_fresh()


def plan_new(
    given: Given, source: Source, first: Merged, from_data: Layer, processes: Processes | None = None
) -> Plan:
    """Return the plan of a new run. The data's and the network's own files change its defaults.

    Args:
        given: the settings that the user gives.
        source: the data set.
        first: the settings without those of the network's own file.
        from_data: the settings of the data's own file.
        processes: which train together; None is this one alone.

    Raises:
        UserError: data, network or a device does not exist or is broken.
    """
    processes = processes or Processes()
    choice = choose_engine(first.args, processes.member)
    data = opened(DataRequest.of(first.args), source)
    asked = first.args
    architecture = architecture_of(asked["network"], asked["dataset"], data[2], spp=asked["spp"])
    chosen: list[SettingText] = []
    if asked["recipe"] == AUTO:
        auto = choose(data[0], len(choice.devices), has_own_size(asked))
        given = given._replace(chosen=auto.settings)
        chosen = auto.lines({**from_data.values, **given.all()})
    decided = decide(given, from_data.values)
    from_network = Layer(architecture.training_flags(len(data[0]), decided), architecture.place_of)
    own = cpu_defaults(choice.devices, {**from_network.values, **decided})
    merged = merge(given, from_data, from_network, own)
    warn_of_idle(given, merged.args)
    args, words = merged.args, given.all()
    changed = {name: each for name, each in from_network.values.items() if each != PLAIN_DEFAULTS[name]}
    taken = [
        SettingText(f"settings of {place}: {setting_words(used)}; flags that are given count more")
        for place, its in ((args["data"], from_data.values), (args["network"], changed))
        if (used := {name: its[name] for name in its if name not in words and args[name] == its[name]})
    ]
    doubts = architecture.doubts(len(data[0]), decided)
    return Plan(
        args, choice, architecture, data, [*taken, *chosen], doubts, own, merged.places, processes=processes
    )


def plan_resumed(folder: RunFolder, args: Args, processes: Processes | None = None) -> Plan:
    """Return the plan of a run that is resumed, or restarted in its folder.

    Args:
        folder: of the run.
        args: its settings, as :func:`gluon_yolo.training.resumed.resumed_args` returns them.
        processes: which train together; None is this one alone.

    Raises:
        UserError: its data does not exist or differs, or a device does not exist.
    """
    processes = processes or Processes()
    choice = choose_engine(args, processes.member)
    data, moved, doubts = open_resumed(folder, args)
    architecture = architecture_of(args["network"], args["dataset"], data[2], folder)
    kept, file = folder.args(), str(folder.path / ARGS)
    places = {name: file for name, value in kept.items() if args.get(name) == value}
    return Plan(
        args, choice, architecture, data, moved, doubts, places=places, resumed=folder, processes=processes
    )
