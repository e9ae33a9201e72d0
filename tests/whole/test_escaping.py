"""A hostile name of a class, a run or a file is shown as the text it is, wherever it is shown."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from html_page import Page

from dlvc import plots
from dlvc.experiments.records import load_record, load_records, save_record
from dlvc.experiments.tables import format_table, results_table

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</td></table><b>bold",
    "[click](https://example.org)",
    "![seen](https://example.org/pixel.png)",
    "a | b",
    "$\\frac{1}",
    "`code` *star* _line_ ~~gone~~",
    "two\nlines",
    "&lt;b&gt;",
    "\\",
)
RECORD = next(each for each in load_records() if each.model["parameters"])


TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}


def page_of(markdown: str) -> Page:
    """What a notebook's export makes of a Markdown cell: HTML in it is let through, addresses become links."""
    mistune = pytest.importorskip("mistune", reason="comes with JupyterLab")
    plugins = ["table", "strikethrough", "url", "math"]
    return Page(mistune.create_markdown(escape=False, plugins=plugins)(markdown))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_markdown_table_shows_a_title_as_text(name):
    table = results_table([dataclasses.replace(RECORD, title=name)])
    table[name] = "a column of that name"
    page = page_of(format_table(table))
    assert page.tags == TABLE_TAGS
    assert page.text.count(" ".join(name.split())) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_in_a_notebook_shows_a_title_as_text(name):
    page = Page(results_table([dataclasses.replace(RECORD, title=name)])._repr_html_())
    assert page.tags <= TABLE_TAGS | {"div", "style"}


@pytest.mark.parametrize("name", ["<b>$\\frac{1}", "\\", "one $ and another $"])
def test_a_figure_shows_names_as_text(name):
    """It neither fails (a $ would begin a formula) nor is the description, the alternative text, changed by them."""
    runs = [dataclasses.replace(RECORD, title=name, data={**RECORD.data, "title": name})]
    classes = [name] * 10
    for picture in (
        plots.accuracy_bars(runs),
        plots.confusion_heatmap(torch.eye(10, dtype=torch.int64), classes=classes, title=name),
        plots.show_images(torch.zeros(2, 3, 8, 8), [name, name], title=name),
    ):
        content, metadata = picture._repr_png_()
        assert content.startswith(b"\x89PNG")
        assert metadata["alt"] == picture.description
    (tick, *_) = plots.confusion_heatmap(
        torch.eye(10, dtype=torch.int64), classes=classes
    ).axes[0].get_xticklabels()  # fmt: skip
    assert tick.get_text() == name


def test_a_title_that_came_through_a_file_is_shown_as_text(tmp_path):
    title = f"ResNet18 ({HOSTILE[0]}.pth, SHA-256 ba7816bf8f01 weights)"
    path = save_record(dataclasses.replace(RECORD, title=title), tmp_path / "run.json")
    page = page_of(format_table(results_table([load_record(path)])))
    assert page.tags == TABLE_TAGS
    assert title in page.text


def test_a_progress_bar_in_a_notebook_shows_a_file_name_as_text():
    from tqdm.notebook import tqdm_notebook

    with tqdm_notebook(total=1, desc=HOSTILE[0], display=False) as bar:
        shown = " ".join(
            child.value
            for child in bar.container.children
            if hasattr(child, "value") and isinstance(child.value, str)
        )
    assert "<img" not in shown
    assert "&lt;img" in shown
