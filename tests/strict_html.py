"""A strict reading of HTML: every element closed in its order, nothing from a network, no script, nothing left of a text's markup."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = ("meta", "br", "wbr", "hr", "img", "input")
ALLOWED = (
    "html", "head", "meta", "title", "style", "body", "div", "p", "span", "i", "strong", "code", "table", "caption", "thead",
    "tbody", "tr", "th", "td", "details", "summary", "section", "nav", "main", "h1", "h2", "a", "ul", "li", "ol",
)  # fmt: skip


class _Strict(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self.count: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), attrs
        assert not [name for name in names if name.startswith("on") or name in ("src", "srcset", "srcdoc")], attrs
        self.count[tag] = self.count.get(tag, 0) + 1
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        self.titles += [given["title"] or ""] if "title" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            assert "@import" not in data
            assert "url(" not in data
        elif data.strip():
            self.words.append(data)


def read_strictly(page: str) -> _Strict:
    """What stands on a page; fails where it is not well formed, would fetch something, or run something."""
    reader = _Strict()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    assert all(link[1:] in reader.ids for link in reader.links if link.startswith("#"))
    assert all(link.startswith("#") for link in reader.links)
    return reader
