# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every finding owes its reader."""

from __future__ import annotations

from collections.abc import Iterable

from upsnet_ros.doctor.checks import CHECKS
from upsnet_ros.doctor.finding import Finding, Level, Subject


def looked(check: str, subject: Subject) -> list[Finding]:
    """What a check finds by itself."""
    (found,) = [entry for entry in CHECKS if entry.name == check]
    return list(found.run(subject))


def levels(findings: Iterable[Finding]) -> list[str]:
    """Levels of findings, each of which must say all that its level asks for."""
    findings = list(findings)
    for finding in findings:
        assert finding.what and finding.found
        if finding.level is Level.OK:
            assert not finding.expected and not finding.remedy
        elif finding.expected or finding.remedy:
            assert finding.expected and finding.remedy
        else:  # the message of an error of the package: what was found, expected, to be done
            assert '; ' in finding.found or '\n' in finding.found
    return [finding.level.value for finding in findings]


def only(findings: Iterable[Finding]) -> Finding:
    """The only finding."""
    (finding,) = findings
    levels([finding])
    return finding
