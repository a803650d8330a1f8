"""What the environment and the settings say about several processes and hosts."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from gluon_yolo import Callback
from gluon_yolo.errors import UserError
from gluon_yolo.training.config import PLAIN_DEFAULTS, TrainConfig
from gluon_yolo.training.processes import start
from gluon_yolo.training.processes.hosts import Hosts, Meet, interface_of
from gluon_yolo.training.processes.member import Member
from tests.printed import refused

LAUNCHED = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}


def test_a_process_without_a_launcher_is_alone() -> None:
    assert Member.of({}) is None
    for name in LAUNCHED:
        assert Member.of({key: value for key, value in LAUNCHED.items() if key != name}) is None


def test_torchruns_environment() -> None:
    member = Member.of({**LAUNCHED, "TORCHELASTIC_RUN_ID": "job-7", "TORCHELASTIC_RESTART_COUNT": "2"})
    assert member == Member(3, 4, 1, 2, "10.0.0.1:29500", "job-7", "2")
    assert not member.is_first and member.run_id == "job-7" and member.others("end") == "2/end"


@pytest.mark.parametrize(
    ("run", "name"), [("none", None), ("0a7cd219-3111-4b3a-9d0e-8f5f3f6f2b11", None), ("train.1", "train.1")]
)
def test_a_run_id_that_torchrun_makes_is_none(run: str, name: str | None) -> None:
    member = Member.of({**LAUNCHED, "TORCHELASTIC_RUN_ID": run})
    assert member is not None and member.run_id == name


def test_an_environment_of_another_kind_is_said() -> None:
    with pytest.raises(UserError, match=r"RANK, WORLD_SIZE, .*'three'.*unset them"):
        Member.of({**LAUNCHED, "RANK": "three"})


def test_hosts() -> None:
    assert Hosts.of("2") == Hosts(2, 2) and Hosts.of("1:2") == Hosts(1, 2)
    for text in ("0", "3:2", "two", "1:", "1:2:3", "-1"):
        with refused(f"^--hosts {text}: expected a number of hosts"):
            Hosts.of(text)


def test_meet() -> None:
    assert Meet.of("node-1:29400") == Meet("node-1", 29400) and Meet.of("[::1]:80") == Meet("::1", 80)
    for text in ("node-1", "node-1:", ":80", "node-1:70000", "node-1:0", "node-1:x"):
        with refused(f"^--meet {text}: expected HOST:PORT"):
            Meet.of(text)
    with refused("^--meet nowhere.invalid:80: nowhere.invalid has no address here"):
        Meet.of("nowhere.invalid:80").address()


def test_who_holds_the_place_to_meet() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not Meet("127.0.0.1", port).is_held_here()  # another process of this machine holds it
    assert Meet("127.0.0.1", port).is_held_here()
    assert not Meet("192.0.2.1", port).is_held_here()  # no address of this machine (RFC 5737)


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces are asked for on Linux")
def test_the_way_to_the_place_to_meet() -> None:
    assert Meet("127.0.0.1", 29400).own_address() == "127.0.0.1"
    assert interface_of("127.0.0.1") == "lo" and interface_of("192.0.2.1") == ""


def test_settings_that_belong_together() -> None:
    cases = [
        ({"hosts": "2"}, r"^--hosts 2: say where they meet: --meet HOST:PORT"),
        ({"meet": "a:1"}, r"^--meet a:1: say how many meet there: --hosts 2"),
        ({"hosts": "2", "meet": "a"}, r"^--meet a: expected HOST:PORT"),
        (
            {"hosts": "2", "meet": "a:1", "engine": "mxnet"},
            r"^--hosts 2: needs --engine torch; mxnet's engine",
        ),
        ({"run_id": "my run"}, r"^--run-id my run: expected letters, digits"),
        ({"restarts": -1}, r"^--restarts -1: must be 0 or more"),
        ({"process_timeout": 0}, r"^--process-timeout 0: must be above 0"),
    ]
    for settings, message in cases:
        with refused(message):
            TrainConfig(**settings)
    TrainConfig(hosts="1:2", meet="node-1:29400", run_id="job-7.a_b", engine="torch")
    TrainConfig(hosts="1")  # one host needs no place to meet


def test_a_config_file_keeps_hosts_as_they_are_written(tmp_path: Path) -> None:
    """YAML 1.1 has 1:2 as the number 62."""
    (tmp_path / "some.yaml").write_text("hosts: 1:2\nmeet: node-1:29400\n")
    assert TrainConfig.load(tmp_path / "some.yaml").hosts == "1:2"
    TrainConfig(hosts="1:2", meet="a:1").save(tmp_path / "own.yaml")
    assert TrainConfig.load(tmp_path / "own.yaml").hosts == "1:2"


def test_the_run_of_an_id_is_found_beside_the_others(tmp_path: Path) -> None:
    for name, args in (("a-1", {}), ("b-1", {"run_id": "job-7"}), ("b-2", {"run_id": "job-70"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "args.json").write_text(json.dumps(args))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "args.json").write_text("{")
    assert start.run_called("job-7", f"{tmp_path}/") == tmp_path / "b-1"
    assert start.run_called("job-7", f"{tmp_path}/c-") == tmp_path / "b-1"
    assert start.run_called("job-8", f"{tmp_path}/") is None
    assert start.run_called(None, f"{tmp_path}/") is None


class Unpicklable(Callback):
    def __init__(self) -> None:
        self.on = lambda: None


def test_what_several_processes_cannot_do_is_said_before_they_start() -> None:
    pytest.importorskip("torch", reason="several processes are torch's engine")
    args = {**PLAIN_DEFAULTS, "engine": "torch", "cpu_devices": 3, "batch_size": 6}
    cases = [
        (
            {"batch_size": 8},
            [],
            r"^--batch-size: 8 pictures cannot be split evenly over 3 processes; use 6 or 9$",
        ),
        ({"batch_size": 2}, [], r"use 3$"),
        (
            {"hosts": "2:3", "meet": "a:1", "batch_size": 12},
            [],
            r"12 pictures cannot be split evenly over 9 processes of 3 hosts; use 9 or 18$",
        ),
        ({}, [Unpicklable()], r"^callbacks\[0\]: Unpicklable cannot be pickled \(.*\), and other processes"),
    ]
    for settings, callbacks, message in cases:
        with refused(message):
            start.in_processes({**args, **settings}, print, callbacks)


def test_one_process_is_not_started_by_another() -> None:
    assert start.in_processes({**PLAIN_DEFAULTS, "gpus": "0"}, print, []) is None
    assert start.in_processes({**PLAIN_DEFAULTS, "cpu_devices": 2, "engine": "mxnet"}, print, []) is None
