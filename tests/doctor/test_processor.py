# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cores and quota."""

from __future__ import annotations

import os

import pytest

from tests.doctor.expectations import only
from upsnet_ros.doctor.processor import check_processor


@pytest.mark.parametrize(
    ('allowed', 'quota', 'level', 'text'),
    [
        (8, 'max 100000', 'ok', '8 of 16 cores may be used (8 allowed, no quota)'),
        (8, '250000 100000', 'ok', '2.5 of 16 cores may be used (8 allowed, a quota of 2.5)'),
        (8, '50000 100000', 'warning', '0.5 of 16 cores'),
        (1, 'max 100000', 'warning', '1 of 16 cores'),
    ],
)
def test_cores_and_quota(computer, monkeypatch, allowed, quota, level, text) -> None:
    monkeypatch.setattr(os, 'cpu_count', lambda: 16)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(allowed)))
    subject = computer()
    (subject.proc / 'self').mkdir()
    (subject.proc / 'self' / 'cgroup').write_text('0::/node\n')
    group = subject.control_groups / 'node'
    group.mkdir(parents=True)
    (group / 'cpu.max').write_text(quota + '\n')
    finding = only(check_processor(subject))
    assert finding.level == level and text in finding.found
    assert finding.values['allowed'] == allowed
