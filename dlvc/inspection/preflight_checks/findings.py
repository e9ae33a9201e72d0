"""What a pre-flight check reports: a list of findings, as text and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

import pandas as pd

from dlvc.experiments import format_table

PASSED, ALARM, NOT_APPLICABLE = "passed", "ALARM", "not applicable"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was measured, what is expected, and what to do after an alarm."""

    name: str
    outcome: str
    measured: str
    expected: str
    advice: str


@dataclass(frozen=True)
class PreflightReport:
    """The findings of a pre-flight check in their order; shown as text, in a notebook as a table."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check raised an alarm."""
        return not self.alarms

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of the checks that raised one."""
        return tuple(finding.name for finding in self.findings if finding.outcome == ALARM)

    def __getitem__(self, name: str) -> Finding:
        """The finding of one check. Raises KeyError naming the checks there are."""
        findings = {finding.name: finding for finding in self.findings}
        if name not in findings:
            raise KeyError(f"no check is called {name!r}; there is {', '.join(findings)}.")
        return findings[name]

    def __repr__(self) -> str:
        width = max(len(finding.name) for finding in self.findings)
        lines = [self.summary()]
        for finding in self.findings:
            lines.append(f"{finding.outcome:>14}  {finding.name:{width}}  {finding.measured}")
            if finding.outcome == ALARM:
                lines += [f"{'':16}expected: {finding.expected}", f"{'':16}to do: {finding.advice}"]
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        table = pd.DataFrame(map(asdict, self.findings))
        table = table.rename(columns={"name": "check", "advice": "to do"})
        return f"{self.summary()}\n\n{format_table(table)}"

    def summary(self) -> str:
        """How many checks passed, raised an alarm or did not apply, in one line."""
        counts = Counter(finding.outcome for finding in self.findings)
        plural = "s" if counts[ALARM] > 1 else ""
        alarms = f"{counts[ALARM]} alarm{plural}: {', '.join(self.alarms)}"
        alarms = "no alarm" if self.ok else alarms
        return f"{counts[PASSED]} passed, {counts[NOT_APPLICABLE]} not applicable, {alarms}"


def judged(name: str, passed: bool, measured: str, expected: str, advice: str) -> Finding:
    """A finding that is passed, or an alarm with `advice`."""
    outcome, advice = (PASSED, "") if passed else (ALARM, advice)
    return Finding(name, outcome, measured, expected, advice)


def skipped(name: str, reason: str) -> Finding:
    """A finding that does not apply, and why."""
    return Finding(name, NOT_APPLICABLE, reason, "", "")
