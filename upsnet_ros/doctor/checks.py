# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""All checks in their order, and running them so that none can end the command."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.doctor.finding import Finding, Level, Subject, doubtful, refused, wrong


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes:
        name: its name.
        module: the module of this package that knows how; imported when its turn comes, because
            a library that it needs may be missing.
        function: the function in it: takes a `Subject`, yields findings.
        needs: checks that must have found no error before.
        what: what an error of this package is found of; empty for the name.
    """

    name: str
    module: str
    function: str
    needs: tuple[str, ...] = ()
    what: str = ''

    def run(self, subject: Subject) -> Iterator[Finding]:
        """Look; an error of this package ends it as a finding."""
        module = importlib.import_module(f'upsnet_ros.doctor.{self.module}')
        try:
            yield from getattr(module, self.function)(subject)
        except UpsnetError as error:
            yield refused(self.what or self.name, error)


SPEED = 'speed'
CHECKS = (
    Check('python', 'software', 'check_python'),
    Check('libraries', 'software', 'check_libraries'),
    Check('ros', 'software', 'check_ros'),
    Check('processor', 'computer', 'check_processor'),
    Check('gpu', 'computer', 'check_gpu'),
    Check('cuda environment', 'computer', 'check_cuda_environment'),
    Check('middleware', 'middleware', 'check_middleware'),
    Check('profile', 'middleware', 'check_profile'),
    Check('discovery', 'middleware', 'check_discovery'),
    Check('shared memory', 'kernel', 'check_shared_memory'),
    Check('leftovers', 'kernel', 'check_leftovers'),
    Check('sockets', 'kernel', 'check_sockets'),
    Check('model', 'model', 'check_model'),
    Check('engine', 'engine', 'check_record', needs=('model',)),
    Check('engine trial', 'engine', 'check_trial', needs=('engine',)),
    Check('labels', 'model', 'check_labels', needs=('model', 'engine trial')),
    Check(
        'comparison',
        'engine',
        'check_comparison',
        needs=('labels',),
        what='engine and ONNX Runtime',
    ),
    Check(SPEED, 'model', 'check_speed', needs=('labels',)),
)


def run_checks(
    subject: Subject,
    checks: Iterable[Check] = CHECKS,
    *,
    announce: Callable[[str], None] = lambda name: None,
) -> Iterator[tuple[Check, Finding]]:
    """Run checks one after another; each finding comes as soon as it is there.

    Args:
        subject: what to look at.
        checks: in an order in which each comes after those it needs.
        announce: is told the name of each check before it begins.
    """
    failed: set[str] = set()
    for check in checks:
        announce(check.name)
        blocked = next((name for name in check.needs if name in failed), None)
        if blocked is not None:
            failed.add(check.name)
            yield check, _not_run(check, blocked)
            continue
        for finding in _run_guarded(check, subject):
            if finding.level is Level.ERROR:
                failed.add(check.name)
            yield check, finding


def _not_run(check: Check, blocked: str) -> Finding:
    return doubtful(
        check.name,
        'not looked at',
        expected=f"no error of '{blocked}' above",
        remedy='mend that first',
    )


def _run_guarded(check: Check, subject: Subject) -> Iterator[Finding]:
    """Run a check; whatever it raises becomes a finding."""
    try:
        yield from check.run(subject)
    except ImportError as error:
        yield wrong(
            check.name,
            f'the check cannot be made: {error}',
            expected='the libraries that it needs',
            remedy='install what is missing, as said of the libraries above',
        )
    except (Exception, SystemExit) as error:  # libraries of others may raise anything
        yield wrong(
            check.name,
            f'the check failed: {type(error).__name__}: {error}',
            expected='an answer',
            remedy='report this with what --json prints',
            traceback=traceback.format_exc(),
        )
