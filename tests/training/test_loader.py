# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Samples made by other processes: the same ones, and errors that name the file."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.data.cityscapes import CityscapesReader
from training.data.errors import DataError
from training.data.frames import Frame
from training.data.loader import SampleLoader
from training.data.sample import Sample
from training.data.sharded_batches import ShardedBatches
from training.data.training_set import TrainingSet
from training.recipe.data import DataRecipe
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.labels import cityscapes_label_set

LABELS = cityscapes_label_set()
SIDES = (64, 96)


def training_set(
    data: Path, recipe: DataRecipe, reader: CityscapesReader | None = None, **changes
):
    reader = reader or CityscapesReader(data, LABELS)
    recipe = replace(recipe, **{'train_short_sides': SIDES} | changes)
    frames = reader.frames('train')
    return TrainingSet(reader, frames, LABELS, recipe=recipe, draw_polygons=True, seed=5)


def loader(samples: TrainingSet, *, workers: int, start: int = 0, **sharing: int) -> SampleLoader:
    batches = ShardedBatches(len(samples), batch_size=4, seed=5, start=start, count=6, **sharing)
    return SampleLoader(samples, batches, workers=workers)


def assert_equal(first: Sample, second: Sample) -> None:
    for name, value in vars(first).items():
        other = getattr(second, name)
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other), name
        elif name == 'polygons':
            for own, others in zip(value, other, strict=True):
                for line, another in zip(own, others, strict=True):
                    np.testing.assert_array_equal(line, another)
        else:
            assert value == other, name


def test_workers_and_processes_make_the_same_samples(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data)
    alone = [sample for batch in loader(samples, workers=0) for sample in batch]
    with_workers = [sample for batch in loader(samples, workers=2) for sample in batch]
    ranks = [list(loader(samples, workers=0, rank=rank, world=2)) for rank in (0, 1)]
    shared = [sample for pair in zip(*ranks, strict=True) for batch in pair for sample in batch]
    resumed = [sample for batch in loader(samples, workers=1, start=4) for sample in batch]
    assert len(alone) == len(with_workers) == len(shared) == 24
    for first, second, third in zip(alone, with_workers, shared, strict=True):
        assert_equal(first, second)
        assert_equal(first, third)
    for first, second in zip(alone[16:], resumed, strict=True):
        assert_equal(first, second)
    assert len({sample.seed for sample in alone}) == 24


def test_a_step_has_one_size_and_a_run_all_of_them(small_recipe: Recipe, town: Path) -> None:
    sizes = []
    for batch in loader(training_set(town, small_recipe.data), workers=0):
        assert len({tuple(sample.image.shape) for sample in batch}) == 1
        assert len({sample.size for sample in batch}) == 1
        sizes.append(min(batch[0].size))
    assert set(sizes) == set(SIDES)


def test_both_an_image_and_its_mirror_image_are_seen(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data, train_short_sides=(96,))
    assert len(samples) == 6
    plain, mirrored = samples[2, 0, 0], samples[3, 0, 0]
    width = plain.size[1]
    assert plain.name == mirrored.name
    assert torch.equal(plain.image[:, :, :width].flip(2), mirrored.image[:, :, :width])


def test_crops_are_squares_without_objects(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data, train_crop=72)
    crop = samples[1, 0, 9]
    assert tuple(crop.image.shape) == (3, 72, 72)
    assert len(crop.boxes) == 0
    other = samples[1, 0, 10]
    assert crop.size == other.size
    assert not torch.equal(crop.image, other.image)  # another position, another place


@pytest.mark.parametrize('workers', [0, 2])
def test_a_file_that_breaks_during_training_is_named(
    small_recipe: Recipe, data: Path, workers: int
) -> None:
    samples = training_set(data, small_recipe.data)
    samples.frames[1].image.write_bytes(b'no image')
    with pytest.raises(ImageError, match=r'^\S*town_000001_000000_leftImg8bit\.png: not a read'):
        list(loader(samples, workers=workers))


@pytest.mark.parametrize('workers', [0, 1])
def test_a_file_that_changes_its_size_during_training_is_named(
    small_recipe: Recipe, data: Path, workers: int
) -> None:
    samples = training_set(data, small_recipe.data)
    cv2.imwrite(str(samples.frames[2].image), np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(DataError, match=r'town_000002_\S* is 30x20 pixels, but \S* 160x96'):
        list(loader(samples, workers=workers))


class FatalReader(CityscapesReader):
    """Dies, fails, is interrupted or runs out of memory while it reads the second frame."""

    def __init__(self, root: Path, how: str) -> None:
        super().__init__(root, LABELS)
        self.how = how

    def read_image(self, frame: Frame) -> np.ndarray:
        if '000001' not in frame.name:
            return super().read_image(frame)
        if self.how == 'memory':
            raise MemoryError
        if self.how == 'disk':
            raise OSError(5, 'Input/output error')
        os.kill(os.getpid(), signal.SIGINT if self.how == 'interrupt' else signal.SIGKILL)
        return super().read_image(frame)


def test_a_worker_that_is_killed_names_its_file(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data, FatalReader(town, 'kill'))
    own = loader(samples, workers=2)
    with (
        pytest.raises(
            DataError,
            match=r'died while reading \S*town_000001_000000_leftImg8bit\.png: .*--workers',
        ),
        own.deaths_named(),
    ):
        for _ in own:
            signal.sigtimedwait([], 0.01)  # the report may come while a batch is worked on


def test_workers_leave_interrupts_to_the_main_process(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data, FatalReader(town, 'interrupt'))
    assert len(list(loader(samples, workers=1))) == 6


@pytest.mark.parametrize(('how', 'said'), [('memory', 'MemoryError'), ('disk', 'Input/output')])
def test_a_worker_that_cannot_go_on_names_its_file(
    small_recipe: Recipe, town: Path, how: str, said: str
) -> None:
    samples = training_set(town, small_recipe.data, FatalReader(town, how))
    with pytest.raises(DataError, match=rf'town_000001_000000_leftImg8bit\.png: .*{said}'):
        list(loader(samples, workers=1))


def test_other_errors_pass_unchanged(small_recipe: Recipe, town: Path) -> None:
    own = loader(training_set(town, small_recipe.data), workers=0)
    with pytest.raises(RuntimeError, match='^something else$'), own.deaths_named():
        raise RuntimeError('something else')


def test_a_loader_leaves_the_randomness_of_its_process_alone(
    small_recipe: Recipe, town: Path
) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    list(loader(training_set(town, small_recipe.data), workers=1, start=5))
    assert torch.equal(torch.rand(1), expected)


def test_a_set_without_frames_is_refused(small_recipe: Recipe, town: Path) -> None:
    with pytest.raises(DataError, match='no frames'):
        TrainingSet(
            CityscapesReader(town, LABELS),
            [],
            LABELS,
            recipe=small_recipe.data,
            draw_polygons=False,
            seed=0,
        )
