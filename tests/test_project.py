"""What lies around the code: workflows and forms that fit the Makefile, one version, one list of Pythons."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gluon_yolo._version import __version__

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def targets() -> set[str]:
    """Return what ``make`` can be asked for by name."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    return set(phony.split())


def steps(workflow: Path) -> list[dict[str, str]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_the_makefile_and_pinned_actions(workflow: Path) -> None:
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    actions = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert commands and actions and len(commands) + len(actions) == len(steps(workflow))
    for command in commands:
        words = command.removeprefix("sudo ").split()
        assert words[0] == "make" and words[1] in targets(), command
        for path in re.findall(r"\b(tests/\S+)", command):
            assert (ROOT / path).exists(), command
    for action in actions:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", action), action


def test_the_workflows_check_all_that_there_is_to_check() -> None:
    called = {
        step["run"].removeprefix("sudo ").split()[1]
        for path in WORKFLOWS
        for step in steps(path)
        if "run" in step
    }
    assert {"lint", "test", "docs", "package", "samples-test", "endurance", "audit"} <= called


LOCKS = ROOT / ".github" / "locks"
LOCKED = {
    "tests": [
        "requirements.txt",
        "requirements-runtimes.txt",
        "requirements-dev.txt",
        "requirements-tests.txt",
    ],
    "docs": ["requirements-docs.txt"],
    "audit": ["requirements-audit.txt"],
}


def locked(name: str) -> list[Requirement]:
    """Return what a lock pins."""
    text = (LOCKS / f"{name}.txt").read_text()
    entries = re.findall(r"^([^\s#].*?)(?: \\)?\n((?:    --hash=\S+(?: \\)?\n)*)", text, re.MULTILINE)
    for entry, sums in entries:
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}\b", sums), entry
    assert len(entries) == len(re.findall(r"^[^\s#]", text, re.MULTILINE))
    return [Requirement(entry) for entry, _ in entries]


@pytest.mark.parametrize("name", LOCKED)
def test_a_lock_pins_what_the_requirements_ask_for(name: str) -> None:
    """For every Python: one version, with checksums, and no address of an index (`make lock`)."""
    text = (LOCKS / f"{name}.txt").read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    pins = locked(name)
    asked = [
        Requirement(line.partition("#")[0])
        for file in LOCKED[name]
        for line in (ROOT / file).read_text().splitlines()
        if line.partition("#")[0].strip()
    ]
    oldest = {"tests": 9, "docs": 12, "audit": 10}[name]
    for version in (python for python in PYTHONS if int(python.split(".")[1]) >= oldest):
        machine = {"python_version": version, "python_full_version": f"{version}.1", "sys_platform": "linux"}
        machine = {**machine, "platform_machine": "x86_64", "os_name": "posix", "platform_system": "Linux"}
        there: dict[str, str] = {}
        for pin in pins:
            if pin.marker is None or pin.marker.evaluate(machine):
                assert canonicalize_name(pin.name) not in there, f"{pin.name} twice for {version}"
                (only,) = pin.specifier
                assert only.operator == "=="
                there[canonicalize_name(pin.name)] = only.version
        for wanted in asked:
            if wanted.marker is None or wanted.marker.evaluate(machine):
                found = there.get(canonicalize_name(wanted.name))
                assert found and wanted.specifier.contains(found), f"{wanted} on {version}: {found}"


@pytest.mark.parametrize("target", ["setup", "docs"])
def test_ci_installs_by_checksum_alone(target: str) -> None:
    (workflow,) = WORKFLOWS
    assert yaml.safe_load(workflow.read_text())["env"] == {"LOCKED": "1"}
    command = ["make", "--dry-run", target, "VENV=.venv-of-nobody", "LOCKED=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    installs = re.findall(r"pip (?:--\S+ )?install (.*)", done.stdout)
    lists = [install for install in installs if "--editable" not in install]
    assert lists and all("--require-hashes" in install for install in lists), installs
    files = {
        "setup": [".github/locks/tests.txt", ".venv-of-nobody/mxnet.txt"],
        "docs": [".github/locks/docs.txt"],
    }
    assert re.findall(r"-r ([^\s;]+)", "\n".join(installs)) == files[target]


def test_mxnet_is_locked_for_every_python(tmp_path: Path) -> None:
    """Its entry without what says for which Python: from 3.13 on it is installed without its dependencies."""
    done = subprocess.run(
        ["make", "--dry-run", "setup", "VENV=.venv-of-nobody", "LOCKED=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (command,) = re.findall(r"^(awk .*) >\S+$", done.stdout, re.MULTILINE)
    entry = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"mxnet==1\.9\.1 +\\\n(    --hash=sha256:\w+( \\)?\n)+(    # .*\n)*", entry), entry


def test_every_supported_python_is_named_everywhere() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())["jobs"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == PYTHONS
    project = (ROOT / "pyproject.toml").read_text()
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project) == PYTHONS
    assert f'requires-python = ">={PYTHONS[0]}"' in project
    assert re.findall(r"for version in (.*); do", MAKEFILE) == [" ".join(PYTHONS)]
    for page in ("README.md", "CONTRIBUTING.md", "docs/dependencies.md", "requirements.txt", "Makefile"):
        said = re.findall(r"Python 3\.\d+ to 3\.\d+", (ROOT / page).read_text())
        assert said and set(said) == {f"Python {PYTHONS[0]} to {PYTHONS[-1]}"}, page


@pytest.mark.parametrize(
    ("version", "taken"), [((3, 8), False), ((3, 9), True), ((3, 14), True), ((3, 15), False)]
)
def test_another_python_gets_a_sentence(version: tuple[int, int], taken: bool, tmp_path: Path) -> None:
    (check,) = re.findall(r"\$\(PYTHON\) -c '(.*)'$", MAKEFILE, re.MULTILINE)
    code = check.replace("$(PYTHON)", "python3.x")
    ast.parse(code)
    played = f"import sys; sys.version_info = {(*version, 0, 'final', 0)}; exec({code!r})"
    done = subprocess.run([sys.executable, "-c", played], capture_output=True, text=True)
    assert (done.returncode == 0) == taken
    if not taken:
        assert done.stderr == (
            f"error: Python 3.9 to 3.14 is needed, and python3.x is {version[0]}.{version[1]}: "
            "make PYTHON=python3.11\n"
        )


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.name)
def test_a_form_is_one(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    if form.name == "config.yml":
        assert set(content) == {"blank_issues_enabled"}
        return
    assert content["name"] and content["description"]
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len(set(ids)) and all(field["attributes"]["label"] for field in content["body"])
    assert any(field.get("validations", {}).get("required") for field in content["body"])


def test_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__ and citation["license"] == "Apache-2.0"
    headings = re.findall(r"^## \[(.*?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1] == (__version__, citation["date-released"])


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.split()[:3] == ["Apache", "License", "Version"]
    assert (
        "END OF TERMS AND CONDITIONS" in text
        and 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    )


def test_the_documentation_needs_nothing_that_a_training_waits_for() -> None:
    """``make setup`` installs none of it, and ``make docs`` nothing else."""
    environment = {**os.environ, "VENV": ".venv-of-nobody", "LOCKED": ""}
    command = ["make", "--dry-run", "docs", "VENV=.venv-of-nobody"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert re.findall(r"-r (\S+)", done.stdout) == ["requirements-docs.txt"]
    assert "requirements-docs.txt" not in re.findall(r"^LISTS := (.*)$", MAKEFILE, re.MULTILINE)[0]
