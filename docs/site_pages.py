"""MkDocs' hook: the pages that lie outside of docs/, and links that hold on a forge and in the site alike."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Files of the checkout that are pages of the site, and their names there.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
# Code, which is left as it is, or a link, or an image; whichever begins first.
_CODE_OR_LINK = re.compile(
    r"^```.*?^```|`[^`\n]+`|(?P<label>!?\[(?P<text>[^\]]*)\])\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie outside of docs/."""
    from mkdocs.structure.files import File  # here, so that tests need no mkdocs

    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=with_links(text, source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn the links of a page of docs/; those of the others are turned already."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return with_links(markdown, f"docs/{page.file.src_uri}")


def with_links(text: str, source: str) -> str:
    """Turn links between files of the checkout into links between pages.

    A link to a file that is no page, such as a program's source, keeps its text alone. A link that leads to
    no file stays as it is, and MkDocs names it.

    Args:
        text: Markdown.
        source: its file's path in the checkout.
    """

    def turn(match: re.Match[str]) -> str:
        if match["path"] is None:
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        if not (ROOT / path).exists():
            return match[0]
        page = PAGES.get(path, path[len("docs/") :] if path.startswith("docs/") else None)
        return match["text"] if page is None else f"{match['label']}({page}{match['anchor'] or ''})"

    return _CODE_OR_LINK.sub(turn, text)
