"""Links within the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import PAGES, Page, page_id

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchor(heading: str) -> str:
    """Return the anchor that git hosts make of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("&lt;", "").replace("&gt;", "").lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(Page(page.read_text("utf-8")).prose):
        if link.startswith(("https:", "http:")):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if fragment:
            anchors = [anchor(heading) for heading in Page(target.read_text("utf-8")).headings()]
            assert fragment in anchors, f"{link}: {target.name} has no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [PAGES[0]]
    assert PAGES[0].name == "README.md"
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        for link in _LINK.findall(Page(page.read_text("utf-8")).prose):
            if not link.startswith(("https:", "http:", "#")):
                waiting.append((page.parent / link.partition("#")[0]).resolve())
    assert {page_id(page) for page in PAGES} - {page_id(page) for page in reached} <= {"docs/README.md"}
