"""The documentation as a site: its menu has every page, links hold, and nothing is fetched from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import gluon_yolo

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = Path(f"{sys.prefix}-docs")  # as the Makefile calls it


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def menu() -> list[str]:
    """Return the pages of the menu, in order."""
    text = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text())

    def pages(entries: list) -> list[str]:
        return [
            page
            for entry in entries
            for value in (entry.values() if isinstance(entry, dict) else [entry])
            for page in (pages(value) if isinstance(value, list) else [value])
        ]

    return pages(yaml.safe_load(text)["nav"])


def test_the_menu_has_every_page() -> None:
    here = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert sorted(menu()) == sorted(here | set(hook().PAGES.values()))


def test_the_reference_has_every_public_name() -> None:
    told = re.findall(r"^::: gluon_yolo\.(\w+)$", (ROOT / "docs" / "reference.md").read_text(), re.MULTILINE)
    assert sorted(told) == sorted(set(gluon_yolo.__all__) - {"__version__"})


# A link as the forge has it, the file that it is in, and what the site shows.
LINKS = [
    ("[data](docs/data.md)", "README.md", "[data](data.md)"),
    ("[data](docs/data.md#records)", "README.md", "[data](data.md#records)"),
    ("![seen](docs/images/quickstart.jpg)", "README.md", "![seen](images/quickstart.jpg)"),
    ("[Makefile](Makefile)", "README.md", "Makefile"),
    ("[read me](../README.md#gpus)", "docs/export.md", "[read me](index.md#gpus)"),
    ("[data](data.md)", "docs/export.md", "[data](data.md)"),
    ("[`build.sh`](../deploy/build.sh)", "docs/deploy.md", "`build.sh`"),
    ("[log](CHANGELOG.md)", "CONTRIBUTING.md", "[log](changelog.md)"),
    ("[above](#gpus)", "README.md", "[above](#gpus)"),
    ("[there](https://example.org/a.md)", "README.md", "[there](https://example.org/a.md)"),
    ("`cells[i](Makefile)`", "README.md", "`cells[i](Makefile)`"),
    ("```\ncells[i](Makefile)\n```", "README.md", "```\ncells[i](Makefile)\n```"),
    ("[gone](docs/gone.md)", "README.md", "[gone](docs/gone.md)"),  # MkDocs names it
]


@pytest.mark.parametrize(("link", "source", "shown"), LINKS)
def test_links_hold_on_a_forge_and_in_the_site(link: str, source: str, shown: str) -> None:
    assert hook().with_links(f"See\n{link}\nand more.\n", source) == f"See\n{shown}\nand more.\n"


def build(checkout: Path) -> subprocess.CompletedProcess[str]:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {ENVIRONMENT.name}: make docs")
    command = [python, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(list(map(str, command)), cwd=checkout, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the site is made from."""
    wanted = ["mkdocs.yml", "docs", "gluon_yolo", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    for name in (*wanted, "SECURITY.md", "LICENSE", "Makefile", "deploy"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_site_is_built_and_fetches_nothing(checkout: Path) -> None:
    done = build(checkout)
    assert done.returncode == 0, done.stderr
    for page in menu():
        text = (checkout / "site" / page).with_suffix(".html").read_text()
        fetched = re.findall(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"?(https?:[^\s\">]+)", text)
        assert not fetched, f"{page}: {fetched}"
    reference = (checkout / "site" / "reference.html").read_text()
    assert all(f'id="gluon_yolo.{name}"' in reference for name in set(gluon_yolo.__all__) - {"__version__"})


def test_what_leads_nowhere_is_an_error(checkout: Path) -> None:
    (checkout / "docs" / "alone.md").write_text("# A page that no menu has\n")
    with (checkout / "README.md").open("a") as page:
        page.write("\n[gone](docs/gone.md) and [no such heading](docs/data.md#no-such-heading)\n")
    done = build(checkout)
    assert done.returncode != 0
    warnings = "".join(re.findall(r"^WARNING.*?(?=^[A-Z]+ +-|\Z)", done.stderr, re.MULTILINE | re.DOTALL))
    for said in ("alone.md", "docs/gone.md", "data.md#no-such-heading"):
        assert said in warnings, f"{said}: {done.stderr}"
