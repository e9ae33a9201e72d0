"""The planted faults of mutation_check.py still apply to the sources: no fault is lost when code changes."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

CHECK = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "mutation_check.py"))
FAULTS, PROJECT = CHECK["FAULTS"], CHECK["PROJECT"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_applies_exactly_once_and_leaves_valid_python(fault):
    source = (PROJECT / "dlvc" / fault.file).read_text(encoding="utf-8")
    faulty = CHECK["plant"](fault, source)
    assert ast.dump(ast.parse(faulty)) != ast.dump(ast.parse(source))
    assert all((PROJECT / path).is_file() for path in fault.likely())


def test_a_fault_that_no_longer_applies_is_named():
    with pytest.raises(ValueError, match=r"class order: .* stands 0 times in dlvc/data/splits\.py"):
        CHECK["plant"](FAULTS[0], "")
