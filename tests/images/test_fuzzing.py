# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random messages through the decoders, in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.fuzzed_messages import MessageFuzzer

SEED, COUNT = 20261125, 30_000
ROOT = Path(__file__).parents[2]
MEMORY_LIMIT_MIB = 1536


@pytest.mark.heavy
def test_no_message_does_more_than_be_refused_or_decoded() -> None:
    command = [sys.executable, '-m', 'tests.images.fuzz_decoders', str(SEED), str(COUNT)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert answer.returncode == 0, f'{answer.stdout}\n{answer.stderr[-2000:]}'
    report = json.loads(answer.stdout.splitlines()[-1])
    outcomes = report['outcomes']
    assert sum(outcomes.values()) == COUNT + 2
    # Every kind reaches both ends, so neither the guards nor the decoders were merely passed by.
    each = COUNT // len(MessageFuzzer(SEED).kinds)
    both = ('sound raw', 'altered raw', 'altered jpeg', 'lying jpeg', 'resealed png')
    for kind in (*both, 'altered tiff', 'lying tiff'):
        assert outcomes[f'{kind} decoded'] > each // 100, outcomes
        assert outcomes[f'{kind} refused'] > each // 100, outcomes
    assert outcomes['sound file decoded'] == each
    assert outcomes['rubbish refused'] == each
    assert outcomes['largest file decoded'] == 2
    assert report['growth_mib'] < 64, report
    assert report['peak_mib'] < MEMORY_LIMIT_MIB, report
    assert report['slowest_ms'] < 2000, report
