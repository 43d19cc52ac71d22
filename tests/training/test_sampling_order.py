# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which images are seen when, by whom, at which size: the same however the work is shared."""

from collections import Counter

import numpy as np
import pytest

from training.data.draws import sample_seed, short_side
from training.data.sharded_batches import Key, ShardedBatches
from training.recipe.errors import RecipeError


def batches(
    length: int,
    batch_size: int,
    *,
    start: int = 0,
    count: int = 6,
    rank: int = 0,
    world: int = 1,
    accumulation: int = 1,
    seed: int = 3,
) -> list[list[Key]]:
    own = ShardedBatches(
        length,
        batch_size=batch_size,
        seed=seed,
        start=start,
        count=count,
        rank=rank,
        world=world,
        accumulation=accumulation,
    )
    found = list(own)
    assert len(found) == len(own)
    return found


def test_an_epoch_visits_every_index_once_in_an_order_of_its_own() -> None:
    whole = batches(10, 5)
    epochs = []
    for epoch in range(3):
        visited = [index for batch in whole[2 * epoch : 2 * epoch + 2] for index, _, _ in batch]
        assert sorted(visited) == list(range(10))
        epochs.append(visited)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert batches(10, 5, seed=4) != whole


def test_keys_tell_step_and_position() -> None:
    for step, batch in enumerate(batches(10, 4)):
        assert [key[1] for key in batch] == [step] * 4
        assert [key[2] for key in batch] == list(range(4 * step, 4 * step + 4))


def test_a_run_starts_anywhere() -> None:
    assert batches(10, 4, start=3) == batches(10, 4)[3:]
    parts = batches(10, 4, rank=1, world=2, accumulation=2)
    assert batches(10, 4, start=2, rank=1, world=2, accumulation=2) == parts[4:]
    assert batches(10, 4, start=6) == batches(10, 4, start=9) == []


@pytest.mark.parametrize('seed', range(10))
def test_nothing_is_lost_or_repeated_however_the_work_is_shared(seed: int) -> None:
    random = np.random.default_rng(seed)
    world, accumulation, share = (int(value) for value in random.integers(1, 5, 3))
    batch_size, length = world * accumulation * share, int(random.integers(1, 60))
    start = int(random.integers(0, 4))
    count = start + int(random.integers(1, 9))
    common = {'start': start, 'count': count, 'seed': seed}
    alone = [key for batch in batches(length, batch_size, **common) for key in batch]
    shared = [
        batches(length, batch_size, rank=rank, world=world, accumulation=accumulation, **common)
        for rank in range(world)
    ]
    together = []
    for part in range((count - start) * accumulation):
        for rank in range(world):
            assert len(shared[rank][part]) == share
            together += shared[rank][part]
    assert together == alone
    assert [key[2] for key in alone] == list(range(start * batch_size, count * batch_size))
    # Over whole epochs every index is seen equally often.
    seen = Counter(index for batch in batches(length, length, count=3, seed=seed)
                   for index, _, _ in batch)  # fmt: skip
    assert seen == {index: 3 for index in range(length)}


@pytest.mark.parametrize(('world', 'accumulation'), [(3, 1), (1, 3), (2, 4), (8, 1)])
def test_a_step_that_cannot_be_shared_is_refused(world: int, accumulation: int) -> None:
    with pytest.raises(RecipeError, match=r"optimisation.batch_size': got 4, expected a multiple"):
        batches(10, 4, world=world, accumulation=accumulation)


def test_sizes_of_a_list_are_all_drawn_and_belong_to_their_step() -> None:
    sides = (800, 832, 864)
    drawn = [short_side(1, step, sides, choice='listed') for step in range(300)]
    assert set(drawn) == set(sides)
    assert min(Counter(drawn).values()) > 60
    assert drawn == [short_side(1, step, sides, choice='listed') for step in range(300)]
    assert drawn != [short_side(2, step, sides, choice='listed') for step in range(300)]


def test_sizes_of_a_range_are_whole_numbers_with_both_ends() -> None:
    drawn = [short_side(1, step, (96, 104), choice='range') for step in range(400)]
    assert set(drawn) == set(range(96, 105))
    assert min(Counter(drawn).values()) > 20


def test_sample_seeds_differ_and_fit_into_63_bits() -> None:
    seeds = [sample_seed(run, position) for run in (0, 1) for position in range(5000)]
    assert len(set(seeds)) == len(seeds)
    assert 0 <= min(seeds) and max(seeds) < 1 << 63
    assert max(seeds) > 1 << 62
    assert seeds[:5000] == [sample_seed(0, position) for position in range(5000)]
