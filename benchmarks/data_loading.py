# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading of data sets beside torchvision's reading and decoding of the same files alone.

    .venv/training/bin/python benchmarks/data_loading.py --output out/bench/data_loading.json

Our readers decode an image and its truth, check them and give a label image; torchvision decodes
the two files and no more. Both in one thread, in turns, and in loaders of two worker processes.
The times of whole training samples, resized and with targets, stand beside them.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_image, read_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.data.cityscapes import CityscapesReader  # noqa: E402 - after this checkout's path
from training.data.coco_panoptic import CocoPanopticReader  # noqa: E402
from training.data.frames import Frame, FrameReader  # noqa: E402
from training.data.image_files import read_png, write_png  # noqa: E402
from training.data.training_set import TrainingSet  # noqa: E402
from training.recipe.reading import load_recipe  # noqa: E402
from training.synthetic.__main__ import main as make_drives  # noqa: E402
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set  # noqa: E402

LABELS = cityscapes_label_set()
RECIPE = ROOT / 'config' / 'training' / 'upsnet_r50_cityscapes.yaml'
CAR = 26  # label id
MORE_OBJECTS = 20  # beside the 25 to 35 segments of a synthetic frame
LEAST_RATIO = 0.8


def make_cityscapes(root: Path, frames: int) -> FrameReader:
    """Write frames of 2048x1024 in Cityscapes format, with about 50 segments each."""
    make_drives(['--output', str(root), '--train', str(frames), '--size', '2048x1024'])
    reader = CityscapesReader(root, LABELS)
    rng = np.random.default_rng(0)
    for frame in reader.frames('train'):
        ids = read_png(frame.instances)
        height, width = ids.shape
        for number in range(MORE_OBJECTS):
            centre = int(rng.integers(0, width)), int(rng.integers(0, height))
            axes = tuple(int(value) for value in rng.integers(15, 90, 2))
            value = CAR * 1000 + 900 + number
            cv2.ellipse(ids, centre, axes, float(rng.integers(0, 180)), 0, 360, value, -1)
        write_png(frame.instances, ids, ())
    return reader


def make_coco(root: Path, source: FrameReader) -> FrameReader:
    """Write the same frames in COCO panoptic format, the images as JPEG."""
    images, annotations = [], []
    for number, frame in enumerate(source.frames('train')):
        file_name, png_name = f'{frame.name}.jpg', f'{frame.name}.png'
        image, labels = source.read_image(frame), source.read_label_image(frame)
        (root / 'train').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / 'train' / file_name), image)
        ids = np.where(labels == UNKNOWN_LABEL, 0, labels.astype(np.uint32) + 1)
        _write_as_published(root / 'annotations' / 'panoptic_train' / png_name, ids)
        segments = [
            {'id': value, 'category_id': LABELS.classes[value - 1 >> 8].dataset_id, 'iscrowd': 0}
            for value in np.unique(ids[ids > 0]).tolist()
        ]
        height, width = labels.shape
        images.append({'id': number, 'file_name': file_name, 'height': height, 'width': width})
        annotations.append(
            {'image_id': number, 'file_name': png_name, 'segments_info': segments}
        )  # fmt: skip
    categories = [{'id': entry.dataset_id} for entry in LABELS.classes]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (root / 'annotations' / 'panoptic_train.json').write_text(json.dumps(content))
    return CocoPanopticReader(root, LABELS)


def _write_as_published(path: Path, ids: np.ndarray) -> None:
    """Segment ids as a PNG of Pillow, which the published ones are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(path)


def read_ours(reader: FrameReader, frame: Frame) -> int:
    """Read an image and its truth; returns the pixels."""
    return reader.read_image(frame).shape[0] * reader.read_label_image(frame).shape[1]


def read_torchvision(reader: FrameReader, frame: Frame) -> int:
    """Decode the two files; returns the pixels."""
    image, truth = (
        decode_image(read_file(str(path)), ImageReadMode.UNCHANGED)
        for path in (frame.image, frame.instances)
    )
    return image.shape[-2] * truth.shape[-1]


class Readings(Dataset):
    """Reads frames in the workers and hands over their pixel counts, so that only reading counts.

    Args:
        read: One of the two ways.
        reader: The data set.
        frames: What to read.
    """

    def __init__(self, read: Callable, reader: FrameReader, frames: list[Frame]) -> None:
        self.read, self.reader, self.frames = read, reader, frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> int:
        return self.read(self.reader, self.frames[index])


def start_worker(_: int) -> None:
    """One thread a worker, as in training."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def seconds_of(action: Callable[[], Any]) -> float:
    """The time of one run."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turns(actions: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    """Median seconds of each action, one run of each in turns after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(repeat + 1):
        for name, action in actions.items():
            seconds = seconds_of(action)
            if turn:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(reader: FrameReader, workers: int, repeat: int) -> dict[str, float]:
    """Images per second of both ways over all frames; 0 workers read in this process."""
    frames = reader.frames('train')
    actions = {}
    for name, read in (('ours', read_ours), ('torchvision', read_torchvision)):
        loader = DataLoader(
            Readings(read, reader, frames * max(2 * workers, 1)),
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker,
        )
        actions[name] = lambda loader=loader: sum(loader)
    times = in_turns(actions, repeat)
    images = len(frames) * max(2 * workers, 1)
    result = {f'{name}_images_per_s': images / seconds for name, seconds in times.items()}
    return result | {'ratio': times['torchvision'] / times['ours']}


def samples_per_second(reader: FrameReader, repeat: int) -> float:
    """Whole training samples of the published recipe per second, in this process."""
    frames = reader.frames('train')
    recipe = load_recipe(RECIPE).data
    samples = TrainingSet(reader, frames, LABELS, recipe=recipe, draw_polygons=True, seed=0)
    keys = [(2 * index + index % 2, 0, index) for index in range(len(frames))]
    times = in_turns({'samples': lambda: [samples[key] for key in keys]}, repeat)
    return len(frames) / times['samples']


def mean_segments(reader: FrameReader) -> float:
    """Mean number of labels in a frame, void left out."""
    images = [reader.read_label_image(frame) for frame in reader.frames('train')]
    return statistics.mean(len(np.unique(labels[labels != UNKNOWN_LABEL])) for labels in images)


def measure(frames: int, repeat: int) -> dict[str, dict[str, Any]]:
    """All figures, by format."""
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        cityscapes = make_cityscapes(Path(folder) / 'cityscapes', frames)
        coco = make_coco(Path(folder) / 'coco', cityscapes)
        for name, reader in (('cityscapes', cityscapes), ('coco_panoptic', coco)):
            result[name] = {
                'segments': mean_segments(reader),
                'one_thread': compare(reader, 0, repeat),
                'two_workers': compare(reader, 2, repeat),
                'training_samples_per_s': samples_per_second(reader, repeat),
            }
    return result


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--frames', type=int, default=8, help='files of each format (8)')
    parser.add_argument('--repeat', type=int, default=7, help='timed passes over the files (7)')
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    result = measure(options.frames, options.repeat)
    slow = []
    for name, values in result.items():
        print(f'{name}: {values["segments"]:.0f} segments, '
              f'{values["training_samples_per_s"]:.1f} training samples/s')  # fmt: skip
        for how in ('one_thread', 'two_workers'):
            row = values[how]
            print(f'  {how:12} ours {row["ours_images_per_s"]:6.1f} images/s, torchvision '
                  f'{row["torchvision_images_per_s"]:6.1f}, ratio {row["ratio"]:.2f}')  # fmt: skip
            slow += [f'{name}, {how}'] if row['ratio'] < LEAST_RATIO else []
    write_results(
        options.output, 'data_loading', (torch, torchvision, cv2), {'size': [1024, 2048]} | result
    )
    for text in slow:
        print(f'FAILED: {text}: less than {LEAST_RATIO} of torchvision')
    return 1 if slow else 0


if __name__ == '__main__':
    sys.exit(main())
