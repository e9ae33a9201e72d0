"""The code speaks in one voice: a docstring begins with what comes back or is done, never with "Return"."""

from __future__ import annotations

import ast
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_docstring_begins_with_return() -> None:
    wrong = [
        f"{path.relative_to(PROJECT)}:{getattr(node, 'lineno', 1)}"
        for folder in ("dlvc", "tests")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, DOCUMENTED)
        and (ast.get_docstring(node) or "").startswith(("Return ", "Returns "))
    ]
    assert wrong == []
