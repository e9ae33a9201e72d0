"""An HTML text as a browser would take it apart: its elements, and the text in them."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """`elements`: tag and attributes, in order; `contents`: the text behind each of them, up to the next tag.

    `tags` and `text` are those of the whole page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.contents: list[str] = []
        self.text = ""
        self._open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.contents.append("")
        self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open:
            self.contents[-1] += data

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def texts(self, *tags: str) -> list[str]:
        """The text in each element with one of these tags."""
        pairs = zip(self.elements, self.contents, strict=True)
        return [text for (name, _), text in pairs if name in tags]
