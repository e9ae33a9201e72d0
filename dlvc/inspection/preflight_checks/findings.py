"""The report of a pre-flight check: a list of findings, as text and as a table."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dlvc.experiments import format_table

PASSED, ALARM, NOT_APPLICABLE = "passed", "ALARM", "not applicable"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was measured, what is expected, and what to do where they differ."""

    name: str
    outcome: str
    measured: str
    expected: str
    advice: str


@dataclass(frozen=True)
class Report:
    """The findings of a pre-flight check in their order; shown as text, in a notebook as a table."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check raised an alarm."""
        return not self.alarms

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of the checks that raised one."""
        return tuple(each.name for each in self.findings if each.outcome == ALARM)

    def __getitem__(self, name: str) -> Finding:
        """The finding of one check. Raises KeyError naming the checks there are."""
        for each in self.findings:
            if each.name == name:
                return each
        there = ", ".join(each.name for each in self.findings)
        raise KeyError(f"no check is called {name!r}; there is {there}.")

    def __repr__(self) -> str:
        width = max(len(each.name) for each in self.findings)
        lines = [self.summary()]
        for each in self.findings:
            lines.append(f"{each.outcome:>14}  {each.name:{width}}  {each.measured}")
            if each.outcome == ALARM:
                lines += [f"{'':16}expected: {each.expected}", f"{'':16}to do: {each.advice}"]
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        rows = [
            {
                "check": each.name,
                "outcome": each.outcome,
                "measured": each.measured,
                "expected": each.expected,
                "to do": each.advice if each.outcome == ALARM else "",
            }
            for each in self.findings
        ]
        return f"{self.summary()}\n\n{format_table(pd.DataFrame(rows))}"

    def summary(self) -> str:
        """How many checks passed, raised an alarm or did not apply, in one line."""
        counts = {
            outcome: sum(each.outcome == outcome for each in self.findings)
            for outcome in (PASSED, ALARM, NOT_APPLICABLE)
        }
        alarms = "no alarm" if self.ok else f"{counts[ALARM]} alarms: {', '.join(self.alarms)}"
        alarms = alarms.replace("1 alarms", "1 alarm")
        return f"{counts[PASSED]} passed, {counts[NOT_APPLICABLE]} not applicable, {alarms}"


def judged(name: str, passed: bool, measured: str, expected: str, advice: str) -> Finding:
    """A finding that is passed or an alarm."""
    return Finding(name, PASSED if passed else ALARM, measured, expected, advice)


def skipped(name: str, reason: str) -> Finding:
    """A finding that does not apply, and why."""
    return Finding(name, NOT_APPLICABLE, reason, "", "")
