"""Reading the report's HTML back."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class PageReader(HTMLParser):
    """Tags with their attributes, the text between them, and whether every tag is closed in its place."""

    VOID = {"meta", "img", "br", "link", "input"}
    UNCLOSED = {"path", "use", "rect", "circle"}

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_self_contained(html: str) -> PageReader:
    """The page asks nobody for anything and runs nothing; its ids are its own."""
    page = PageReader(html)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form", "foreignobject", "image"}
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
            value = attributes.get(key)
            assert value is None or value.startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,"))
        assert not re.search(r"url\((?!#)|@import|//", attributes.get("style") or "")
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|//|@font-face", style)
    assert html.count("<style") == 1
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    return page
