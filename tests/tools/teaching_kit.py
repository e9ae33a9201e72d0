"""Reads the teacher's kit: its references to notebooks, its tables and the questions of its quiz bank."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nbformat

from dlvc.lessons.notebooks import NOTEBOOKS

KIT = NOTEBOOKS / "teaching"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(KIT.glob("*.md"))}
FILES = (
    "README.md",
    "discussion.md",
    "misconceptions.md",
    "quiz.md",
    "rubric.md",
    "session_plan.md",
    "worksheet.md",
)
CHAPTERS = (
    "01_data",
    "02_cnns",
    "03_vits",
    "04_resnet18_transfer",
    "05_comparison",
    "06_silent_bugs",
)
# `02_cnns` "Padding and stride", "The block": a notebook, then one or more of its headings.
REFERENCE = re.compile(r'`(\d\d_\w+)`((?: "[^"\n]+",?)+)')
LEVELS = ("easy", "medium", "hard")
FEWEST = 8  # questions for each notebook


@dataclass(frozen=True)
class Question:
    """One question of the quiz bank, cut into its parts; a part that is missing is empty."""

    chapter: str
    title: str
    difficulty: str
    notebooks: tuple[str, ...]
    text: str
    options: tuple[str, ...]
    answer: str
    reason: str


def part(pattern: str, text: str) -> str:
    """What the group of `pattern` holds in `text`, "" if it does not occur."""
    match = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    return match[1].strip() if match else ""


def read_questions(text: str) -> list[Question]:
    """The questions of the quiz bank: `##` is a notebook, `###` a question."""
    questions = []
    for chapter in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, *parts = re.split(r"^### ", chapter, flags=re.MULTILINE)
        for each in parts:
            asked, _, folded = each.partition("<details><summary>Answer</summary>")
            questions.append(
                Question(
                    name.splitlines()[0],
                    asked.splitlines()[0],
                    part(r"^Difficulty: (\w+)\.", asked),
                    tuple(notebook for notebook, _ in references(asked)),
                    part(r'^Difficulty: [^\n]*"\.\n(.*)', asked),
                    tuple(re.findall(r"^- (\([a-z]\)) ", asked, re.MULTILINE)),
                    part(r"^\*\*Answer\.\*\* (.*?)\n\n", folded),
                    part(r"^\*\*Reason\.\*\* (.*?)\n\n</details>", folded),
                )
            )
    return questions


def references(text: str) -> list[tuple[str, str]]:
    """Each pair of a notebook and a heading that `text` names."""
    return [
        (notebook, heading)
        for notebook, named in REFERENCE.findall(text)
        for heading in re.findall(r'"([^"]+)"', named)
    ]


def headings(notebook: str) -> list[str]:
    """The headings of a notebook as they stand there, without those inside its code blocks."""
    cells = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    bare = [re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE) for text in texts]
    return [each for text in bare for each in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)]


def shown_text(notebook: str) -> str:
    """All text of a notebook: prose, code, and what its cells print."""
    cells = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join([cell.source for cell in cells] + [each.get("text", "") for each in outputs])


def rows(text: str, columns: int) -> list[list[str]]:
    """The cells of each table row in `text` that has so many columns, without head and rule."""
    cut = [
        [cell.strip() for cell in line.strip()[1:-1].split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return [row for row in cut if len(row) == columns and not set("".join(row)) <= set("-: ")][1:]


QUESTIONS = read_questions(TEXTS["quiz.md"])
SESSIONS = re.split(r"^## Session ", TEXTS["session_plan.md"], flags=re.MULTILINE)[1:]
