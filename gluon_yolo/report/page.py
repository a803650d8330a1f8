"""Page: a report as one HTML file, in which everything is inline.

The browser needs no network to show it, and the page's Content-Security-Policy forbids every request.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Union

from gluon_yolo._version import __version__
from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.errors import MissingDependency, explain

_HERE = Path(__file__).parent
REFRESH = 30  # seconds after which the page of a running training loads itself again
Rows = Sequence[Sequence[object]]


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: ClassVar[str] = "text"


@dataclasses.dataclass(frozen=True)
class Facts:
    """Names with values."""

    rows: Sequence[tuple[str, object]]
    kind: ClassVar[str] = "facts"


@dataclasses.dataclass(frozen=True)
class Commands:
    """Commands to copy, each with a title."""

    rows: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "commands"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Args:
        caption: its title.
        header: the names of the columns.
        rows: the cells of each row; the first one names the row.
        folded: whether it is shown only on request.
        text: whether its cells are words, and not numbers.
    """

    caption: str
    header: Sequence[object]
    rows: Rows
    folded: bool = False
    text: bool = False
    kind: ClassVar[str] = "table"


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of Bokeh's.

    Args:
        title: shown above it, and read by screen readers.
        model: Bokeh's figure.
        legend: name and colour of each series; empty for a single one.
        table: the numbers, for readers without a pointer.
        wide: whether it takes a whole row.
    """

    title: str
    model: Any
    legend: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    wide: bool = False
    kind: ClassVar[str] = "chart"

    @property
    def key(self) -> str:
        """Identifies the chart on its page."""
        return f"chart-{id(self.model)}"


@dataclasses.dataclass(frozen=True)
class Image:
    """An image.

    Args:
        uri: its bytes, as a ``data:`` URI.
        size_hw: height and width in pixels.
        caption: the line below it.
        alt: what it shows, for readers who do not see it.
    """

    uri: str
    size_hw: tuple[int, int]
    caption: str
    alt: str


@dataclasses.dataclass(frozen=True)
class Images:
    """Images in a grid.

    Args:
        images: in order.
        large: whether each takes a whole row.
    """

    images: Sequence[Image]
    large: bool = False
    kind: ClassVar[str] = "images"


Part = Union[Text, Facts, Commands, Table, Chart, Images]


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page with a heading, to which the page's menu leads.

    Args:
        key: identifies it in links; letters and hyphens.
        title: the heading.
        parts: in order.
    """

    key: str
    title: str
    parts: Sequence[Part]


@dataclasses.dataclass(frozen=True)
class Page:
    """A report.

    Args:
        title: the heading of the page.
        subtitle: a line below it.
        sections: those without parts are left out.
        error: the error that ended what is reported; empty without one.
        running: whether the page loads itself again.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    error: str = ""
    running: bool = False

    @property
    def footer(self) -> str:
        """The program that wrote the page."""
        return f"Written by gluon_yolo {__version__}. This file needs no network."

    def html(self) -> str:
        """Return the page.

        Raises:
            MissingDependency: Bokeh or Jinja2 is not installed.
        """
        require_packages()
        from jinja2 import Environment
        from markupsafe import Markup

        shown = dataclasses.replace(self, sections=[each for each in self.sections if each.parts])
        charts = [part for each in shown.sections for part in each.parts if isinstance(part, Chart)]
        script, divs = _components(charts)
        template = Environment(autoescape=True).from_string(_asset("page.html"))
        return template.render(
            page=shown,
            refresh=REFRESH if self.running else 0,
            css=Markup(_asset("page.css")),
            js=Markup(_asset("page.js")),
            bokeh=Markup(_bokeh_js() if charts else ""),
            scripts=Markup(script),
            divs={key: Markup(div) for key, div in divs.items()},
        )

    def write(self, path: Path) -> None:
        """Write the page to a file, in one step: a browser never reads half of it.

        Raises:
            NotWritten: the file cannot be written.
            MissingDependency: Bokeh or Jinja2 is not installed.
        """
        text = self.html()
        with writing(path, "name another place"), replacing(path) as part:
            part.write_text(text, encoding="utf-8", errors="backslashreplace")


def require_packages() -> None:
    """Import what a report needs.

    Raises:
        MissingDependency: Bokeh or Jinja2 is not installed.
    """
    try:
        import bokeh.embed  # noqa: F401
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MissingDependency(explain(error, "bokeh")) from error


def _components(charts: Sequence[Chart]) -> tuple[str, dict[str, str]]:
    """Return the script that draws the charts, and the element of each by its key."""
    if not charts:
        return "", {}
    from bokeh.embed import components

    return components({chart.key: chart.model for chart in charts})


@functools.cache
def _bokeh_js() -> str:
    """Return Bokeh's JavaScript for plots, without its widgets and tables."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


@functools.cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
