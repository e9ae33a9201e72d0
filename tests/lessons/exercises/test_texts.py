"""An exercise is read from Markdown as it stands there, and what is no exercise is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.texts import read_exercises

SMALL = """\
# A title

## small: How much?

- easy, 2 minutes

How much does this give?

```python
6 * 7
```

```python starter
small = ...  # a number
```

```python solution
import math

small = math.prod((6, 7))
```

1. Count.
2. Six sevens: *that* is
   some $\\alpha$.
3. 40 and 2.

### Afterwards

So it is.

Two paragraphs.
"""
FUNCTION = """
## twice: As a function

- hard, 15 minutes
- shapes: x (N,) -> (N,)

Double it.

```python solution
def twice(x):
    return 2 * x
```

1. Count.
2. Add.
3. Multiply.

### Afterwards

Or `x + x`.
"""
JUDGES = {"small": judges.number(42, {}), "twice": judges.function(lambda x: 2 * x, {}, [(3,)])}


def read(folder: Path, text: str):
    path = folder / "02_cnns.md"
    path.write_text(text, encoding="utf-8")
    return read_exercises(path, JUDGES, notebook="02_cnns")


def test_the_parts_of_an_exercise_are_read_as_they_stand(tmp_path: Path) -> None:
    small, twice = read(tmp_path, SMALL + FUNCTION)
    assert (small.name, small.title, small.rating) == ("small", "How much?", "easy, 2 minutes")
    assert small.task == "How much does this give?\n\n```python\n6 * 7\n```"
    assert small.starter == "small = ...  # a number"
    assert small.solution == "import math\n\nsmall = math.prod((6, 7))"
    assert small.hints == ("Count.", "Six sevens: *that* is some $\\alpha$.", "40 and 2.")
    assert small.after == "So it is.\n\nTwo paragraphs."
    assert twice.starter == "def twice(x):\n    # x (N,) -> (N,)\n    return ..."
    assert {exercise.notebook for exercise in (small, twice)} == {"02_cnns"}
    assert small.judge is JUDGES["small"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## small: ", "## ", r"`## name: Title` must come next; got '## How much\?'\.$"),
        ("easy, 2", "easy, two", "`- easy, 3 minutes` must come next; got '- easy, two minutes'"),
        ("easy, 2", "harder, 2", "difficulty must be one of easy, medium, hard; got 'harder'"),
        ("easy, 2", "easy, 99", "minutes must be a whole number from 1 to 60; got 99"),
        ("s\n\nHow", "s\n- shape: 2\n\nHow", "`- shapes: .* must come next; got '- shape: 2'"),
        ("python solution", "py", "```python solution, .* must come next; got '```python starter'"),
        ("```\n\n1", "1", "closed by ```, must come next; got '```python starter'"),
        ("3. 40 and 2.\n", "", "hints must be three texts; got 2"),
        ("### After", "### There", r"then `### Afterwards` .* must come next; got '1\. Count\.'"),
        ("So it is.\n\nTwo paragraphs.\n", "", "`### Afterwards` and a text, must come next"),
        ("small", "unknown", "no judge is called 'unknown'"),
    ],
)
def test_a_malformed_exercise_is_refused_with_its_file_and_its_heading(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ValueError, match=rf"^02_cnns\.md, '## .*How much\?': .*{said}"):
        read(tmp_path, SMALL.replace(old, new))
