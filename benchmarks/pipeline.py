# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a frame goes, from the bytes of its message to the messages of its labels.

    python benchmarks/pipeline.py --against ../before --output out/bench/pipeline.json

The shipped model labels frames of a synthetic drive in a process of its own; with `--against`, in
a second one with the code of another checkout, by turns. Images come as JPEG and as raw colours;
`reduced` is a JPEG decoded no larger than the network needs, beside the same one decoded in full.
Times are medians in milliseconds. Transmission is not part of it: see node_transport.py.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from array import array
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.beside import Worker, enter_checkout, serve  # noqa: E402

IS_WORKER = enter_checkout()

import cv2  # noqa: E402 - after the path of the checkout, as what follows
import numpy as np  # noqa: E402
import psutil  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.synthetic.drive import render_drive  # noqa: E402
from upsnet_ros.core import own_process  # noqa: E402
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView  # noqa: E402
from upsnet_ros.images.messages import image_to_bgr  # noqa: E402
from upsnet_ros.node import messages  # noqa: E402
from upsnet_ros.pipeline import PanopticPipeline  # noqa: E402

MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
SIZES = ((1024, 512), (1920, 1080), (2048, 1024))
JPEG, REDUCED, RAW = 'jpeg', 'reduced', 'rgb8'
STAGES = ('decode', 'preprocess', 'inference', 'panoptic_head', 'messages', 'total')
FRAMES, RUNS, JPEG_QUALITY = 6, 4, 90
MAKERS = (messages.label_message, messages.semantic_message, messages.instances_message)


# --- the work, in a process of each checkout


class FrameWork:
    """Labels frames as the node does, and says how long each step took."""

    def __init__(self) -> None:
        getattr(own_process, 'keep_memory', lambda: None)()  # a checkout may be older
        self._pipeline = PanopticPipeline.load(MODEL)
        self._pipeline.warm_up(3)
        self._files: dict[tuple[str, str], CompressedImage | Image] = {}

    def __call__(self, *, file: str, kind: str, runs: int) -> dict[str, Any]:
        """The milliseconds of each stage in each run with a frame, and the memory in use."""
        message = self._message(file, kind)
        times = [self._label(message, is_reduced=kind == REDUCED) for _ in range(runs)]
        return {'times': times, 'resident_mb': psutil.Process().memory_info().rss / 1e6}

    def _message(self, file: str, kind: str) -> CompressedImage | Image:
        """The message of a camera; kept, as a node does not read files."""
        if (file, kind) not in self._files:
            data = Path(file).read_bytes()
            if kind != RAW:
                message = CompressedImage(format=kind, data=array('B', data))
            else:
                picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
                height, width = picture.shape[:2]
                message = Image(height=height, width=width, encoding=kind, step=3 * width)
                message.data.frombytes(picture.tobytes())
            self._files = {(file, kind): message}
        return self._files[file, kind]

    def _label(
        self, message: CompressedImage | Image, *, is_reduced: bool = False
    ) -> dict[str, float]:
        began = time.perf_counter()
        image, view = self._decode(message, is_reduced)
        decoded = time.perf_counter()
        result = self._pipeline.process(image, view)
        labelled = time.perf_counter()
        shown = messages.LabelledImage(
            message.header, image, result.panoptic, self._pipeline.label_set, None, 0.5, 1.0
        )
        for make in MAKERS:
            make(shown)
        ended = time.perf_counter()
        return {
            **result.timing_ms,
            'decode': 1e3 * (decoded - began),
            'messages': 1e3 * (ended - labelled),
            'total': 1e3 * (ended - began),
        }

    def _decode(
        self, message: CompressedImage | Image, is_reduced: bool
    ) -> tuple[np.ndarray, ImageView]:
        if not is_reduced:
            return image_to_bgr(message), WHOLE_UPRIGHT
        from upsnet_ros.images.messages import decode_image  # likewise

        image, reduction = decode_image(message, shown_in=self._pipeline.backend.input_size)
        return image, ImageView(reduction=reduction)


# --- the question, the same to each


def write_frames(folder: Path, size: tuple[int, int]) -> list[Path]:
    """Frames of a drive as JPEG files."""
    files = []
    for index, frame in enumerate(render_drive(6, size=size, frames=FRAMES, rate=2.0)):
        files.append(folder / f'{size[0]}x{size[1]}_{index}.jpg')
        cv2.imwrite(str(files[-1]), frame.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return files


def measure(asked: dict[str, tuple[Worker, str]], files: list[Path]) -> dict[str, Any]:
    """The medians of each worker and kind, and what part of the other's time this one takes."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
    row: dict[str, Any] = {'kind': asked['here'][1]}
    for file in files:
        for name, (worker, kind) in asked.items():
            answer = worker.ask(file=str(file), kind=kind, runs=RUNS)
            times[name] += answer['times'][1:]  # the first is slowed by what the other left behind
            row[f'{name}_resident_mb'] = answer['resident_mb']
    for name, runs in times.items():
        row[name] = {stage: statistics.median(run[stage] for run in runs) for stage in STAGES}
    if 'against' in row:
        row['ratio'] = {stage: row['here'][stage] / row['against'][stage] for stage in STAGES}
    return row


def print_row(row: dict[str, Any]) -> None:
    """Print the times of a size and kind, and the ratios."""
    for name in ('here', 'against', 'ratio'):
        if name in row:
            cells = ''.join(f'{row[name][stage]:14.2f}' for stage in STAGES)
            print(f'{row["size"]:>10} {row["kind"]:>7} {name:>8}{cells}', flush=True)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description='Where the time of a frame goes')
    parser.add_argument('--against', type=Path, help='a checkout to work beside, such as a commit')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    options = parser.parse_args()
    checkouts = {'here': ROOT}
    if options.against:
        checkouts['against'] = options.against.resolve()
    rows = []
    print(f'{"":28}' + ''.join(f'{stage:>14}' for stage in STAGES))
    with TemporaryDirectory() as folder, ExitStack() as stack:
        workers = {
            name: stack.enter_context(closing(Worker(__file__, checkout)))
            for name, checkout in checkouts.items()
        }
        for size in SIZES:
            files = write_frames(Path(folder), size)
            here = workers['here']
            for asked in (
                {name: (worker, JPEG) for name, worker in workers.items()},
                {name: (worker, RAW) for name, worker in workers.items()},
                {'here': (here, REDUCED), 'against': (here, JPEG)},
            ):
                rows.append({'size': f'{size[0]}x{size[1]}', **measure(asked, files)})
                print_row(rows[-1])
    write_results(options.output, 'pipeline', (cv2, np), {'rows': rows})
    return 0


if __name__ == '__main__':
    sys.exit(serve(FrameWork()) if IS_WORKER else main())
