# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.frame_tables import UNKNOWN, random_table
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.evaluation import paired_bootstrap
from upsnet_ros.evaluation.paired_bootstrap import (
    BootstrapOptions,
    FrameTable,
    WeightedFrames,
    compare_paired,
    draw_weights,
)

FEW = BootstrapOptions(resamples=200)


def compared(this: FrameTable, against: FrameTable, **options: float) -> dict[str, np.ndarray]:
    return compare_paired(this, against, num_stuff=2, options=replace(FEW, **options))


def test_swapped_evaluations_have_the_opposite_differences() -> None:
    one, two = random_table(1, frames=30), random_table(2, frames=30)
    forth, back = compared(one, two), compared(two, one)
    for name, (this, against, difference, low, high) in forth.items():
        turned = np.array([against, this, -difference, -high, -low])
        assert back[name] == pytest.approx(turned, nan_ok=True), name


def test_draws_are_those_of_a_loop_over_repeated_frames() -> None:
    one, two = random_table(1, frames=12, truth_every=3), random_table(2, frames=12, truth_every=3)
    differences = []
    for weights in np.concatenate(list(draw_weights(12, FEW))):
        rows = np.repeat(np.arange(12), weights.astype(int))
        once = np.ones((1, len(rows)))
        a, b = (WeightedFrames(t.select(rows), once, 2).figures() for t in (one, two))
        differences.append(
            [
                a['pq'][0] - b['pq'][0],
                a['class_iou'][0, 2] - b['class_iou'][0, 2],
                (a['latency_p95_ms'] - b['latency_p95_ms'])[0],
            ]
        )
    expected = np.nanpercentile(differences, (2.5, 97.5), axis=0)
    result = compared(one, two)
    for column, (name, of) in enumerate((('pq', 0), ('class_iou', 2), ('latency_p95_ms', 0))):
        assert result[name][3:, of] == pytest.approx(expected[:, column])


def test_the_same_seed_gives_the_same_intervals_however_many_are_held(monkeypatch) -> None:
    one, two = random_table(1, frames=20), random_table(2, frames=20)
    whole = compared(one, two)
    monkeypatch.setattr(paired_bootstrap, 'WEIGHTS_AT_A_TIME', 7 * 20)
    in_parts, other_seed = compared(one, two), compared(one, two, seed=1)
    assert in_parts['pq'] == pytest.approx(whole['pq'])
    assert (other_seed['pq'][3:] != whole['pq'][3:]).all()


def test_every_draw_has_as_many_frames_and_blocks_stay_together() -> None:
    weights = np.concatenate(list(draw_weights(12, BootstrapOptions(50, block_frames=4))))
    assert weights.shape == (50, 12)
    assert weights.sum(axis=1).tolist() == [12.0] * 50
    blocks = weights.reshape(50, 3, 4)
    assert (blocks == blocks[:, :, :1]).all()
    cut_off = np.concatenate(list(draw_weights(10, BootstrapOptions(5, block_frames=4))))
    assert cut_off.shape == (5, 10)


def measured(random: np.random.Generator, *, frames: int) -> tuple[FrameTable, FrameTable]:
    """Frames of which one evaluation labels 2 percentage points less as unknown on average."""
    hardness = random.uniform(0, 0.5, frames)
    table = random_table(0, frames=1).select(np.zeros(frames, dtype=int))
    shares = (hardness + 0.1, hardness + 0.1 + random.normal(0.02, 0.05, frames))
    return tuple(replace(table, values=table.values | {UNKNOWN: share}) for share in shares)


def test_intervals_hold_the_true_difference_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held, widths = 0, []
    for trial in range(200):
        against, this = measured(random, frames=60)
        result = compared(this, against, confidence=0.9, seed=trial)
        low, high = result['unknown_share'][3:, 0]
        held += low <= 0.02 <= high
        widths.append(high - low)
    # 0.9 of 200 is 180; four standard deviations of the count are 17. The bootstrap is a little
    # narrow on 60 frames.
    assert 163 <= held <= 197
    # Without pairing the hardness of the frames would widen them to about 0.08.
    assert np.mean(widths) == pytest.approx(2 * 1.645 * 0.05 / np.sqrt(60), rel=0.1)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'resamples': 0}, 'resamples is 0'),
        ({'block_frames': 0}, 'block_frames is 0'),
        ({'seed': -1}, 'seed is -1'),
        ({'confidence': 1.0}, 'confidence is 1.0'),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        BootstrapOptions(**options)
