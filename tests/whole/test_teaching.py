"""The teacher's kit agrees with the notebooks: links, headings, questions and minutes."""

from __future__ import annotations

import re

import pytest
from teaching_kit import (
    CHAPTERS,
    FEWEST,
    FILES,
    KIT,
    LEVELS,
    QUESTIONS,
    REFERENCE,
    SESSIONS,
    TEXTS,
    Question,
    headings,
    part,
    read_questions,
    references,
    rows,
)


def test_the_kit_is_complete() -> None:
    assert tuple(TEXTS) == FILES


@pytest.mark.parametrize("name", FILES)
def test_every_relative_link_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXTS[name])
    inside = [link.partition("#")[0] for link in links if not link.startswith("https://")]
    assert [link for link in inside if not (KIT / link).exists()] == []


def test_the_start_page_of_the_kit_links_every_other_file() -> None:
    assert {f"({name})" for name in FILES[1:]} <= set(re.findall(r"\([\w.]+\)", TEXTS["README.md"]))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_section_that_the_kit_names_is_a_heading_of_its_notebook(chapter: str) -> None:
    named = {
        (name, heading)
        for name, text in TEXTS.items()
        for notebook, heading in references(text)
        if notebook == chapter
    }
    assert len(named) > 3
    there = headings(chapter)
    assert [each for each in sorted(named) if each[1] not in there] == []


def test_no_reference_names_an_unknown_notebook_or_hides_from_these_tests() -> None:
    for name, text in TEXTS.items():
        assert {notebook for notebook, _ in references(text)} <= set(CHAPTERS), name
        assert len(re.findall(r'`\d\d_\w+`\s*["“]', text)) == len(REFERENCE.findall(text)), name
        assert not re.search(r'",\s*\n"', text), f"{name}: a line break hides a heading"


def test_a_heading_in_a_code_block_is_none() -> None:
    assert not [each for each in headings("02_cnns") if "cross_entropy(" in each]
    assert headings("01_data")[1:3] == ["Set-up", "Idea"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_notebook_has_enough_questions_of_both_kinds(chapter: str) -> None:
    own = [each for each in QUESTIONS if each.chapter == chapter]
    assert len(own) >= FEWEST
    assert any(each.options for each in own)
    assert any(not each.options for each in own)
    assert {each.difficulty for each in own} == set(LEVELS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.title.split()[0])
def test_a_question_is_complete(question: Question) -> None:
    assert question.difficulty in LEVELS
    assert set(question.notebooks) == {question.chapter}, "a section of its own notebook"
    assert question.text.rstrip().endswith(("?", ".", ")")), question.text
    assert len(question.answer) > 1
    assert len(question.reason) > 20
    if question.options:
        assert len(question.options) >= 3
        assert question.answer in question.options, "the answer is one of the options"


def test_questions_are_numbered_in_order() -> None:
    assert {each.chapter for each in QUESTIONS} == set(CHAPTERS)
    for number, chapter in enumerate(CHAPTERS, start=1):
        own = [each.title.split()[0] for each in QUESTIONS if each.chapter == chapter]
        assert own == [f"{number}.{place}" for place in range(1, len(own) + 1)]


def test_an_incomplete_question_is_noticed() -> None:
    text = TEXTS["quiz.md"]
    for removed, empty in (
        ("**Reason.** ", "reason"),
        ("**Answer.** ", "answer"),
        ("Difficulty: easy. ", "difficulty"),
    ):
        assert not getattr(read_questions(text.replace(removed, "", 1))[0], empty)


def test_the_plan_has_five_sessions_whose_minutes_add_up() -> None:
    assert len(SESSIONS) == 5
    for number, session in enumerate(SESSIONS, start=1):
        title = re.match(r"(\d): .+ \((\d+) minutes\)\n", session)
        assert title, session.splitlines()[0]
        assert int(title[1]) == number
        table = rows(session, columns=3)
        assert sum(int(minutes) for minutes, _, _ in table) == int(title[2])
        assert all(references(sections) for _, sections, _ in table)


def test_the_plan_uses_every_notebook() -> None:
    assert {notebook for notebook, _ in references(TEXTS["session_plan.md"])} == set(CHAPTERS)


def test_the_points_of_the_rubric_add_up_to_100() -> None:
    criteria = rows(TEXTS["rubric.md"], columns=6)
    assert len(criteria) >= 5
    assert sum(int(part(r"\((\d+)\)", name)) for name, *_ in criteria) == 100
    assert all(references(taught) for *_, taught in criteria)


def test_every_misconception_has_a_remedy_in_a_notebook() -> None:
    kinds = re.split(r"^## ", TEXTS["misconceptions.md"], flags=re.MULTILINE)[1:]
    assert len(kinds) == len(CHAPTERS)
    for chapter, kind in zip(CHAPTERS, kinds, strict=True):
        table = rows(kind, columns=3)
        assert len(table) >= 4
        for _, _, remedy in table:
            assert {notebook for notebook, _ in references(remedy)} == {chapter}


def test_every_discussion_question_has_an_answer_and_a_section() -> None:
    questions = re.findall(r"^\*\*\d+\. .*", TEXTS["discussion.md"], re.MULTILINE)
    assert len(questions) >= 12
    assert all(references(each) for each in questions)
    assert TEXTS["discussion.md"].count("<summary>Answer</summary>") == len(questions)


def test_the_worksheet_counts_its_predictions_and_has_two_pages() -> None:
    first, *rest = TEXTS["worksheet.md"].split("page-break-after: always")
    assert len(rest) == 1
    assert f"of {len(rows(first, columns=5))}." in first
