# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times and memory of the panoptic head, beside OpenCV, the dense reference and another checkout.

    python benchmarks/panoptic_head.py --against ../before --output out/bench/panoptic_head.json

The head works in a process of its own; with `--against`, in a second one with the code of another
checkout, by turns. One thread unless stated. Times are medians in milliseconds, and those of
OpenCV are for enlarging the channels of the semantic head alone. Head and dense reference must
agree on the labels, or the benchmark fails: a fast wrong answer is not worth a number.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.beside import Worker, enter_checkout, serve  # noqa: E402

IS_WORKER = enter_checkout()

import cv2  # noqa: E402 - after the path of the checkout, as what follows
import numpy as np  # noqa: E402

from benchmarks.model_parts.results import write_results  # noqa: E402
from tests.core.reference_panoptic_head import reference_panoptic_head  # noqa: E402
from tests.fakes.label_images import disturbed, random_label_image  # noqa: E402
from tests.fakes.network_output import street_output  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry  # noqa: E402
from upsnet_ros.core.labels import cityscapes_label_set  # noqa: E402
from upsnet_ros.core.overlay import draw_overlay  # noqa: E402
from upsnet_ros.core.panoptic_head import PanopticHead  # noqa: E402
from upsnet_ros.core.panoptic_quality import PanopticQuality  # noqa: E402
from upsnet_ros.core.structures import SEMANTIC_STRIDE, NetworkOutput  # noqa: E402

LABELS = cityscapes_label_set()
# Input size, image size (height, width), label resolution, instances.
CASES = (
    ((320, 640), (512, 1024), 'input_frame', 0),
    ((320, 640), (512, 1024), 'input_frame', 10),
    ((320, 640), (512, 1024), 'input_frame', 50),
    ((320, 640), (512, 1024), 'image', 10),
    ((512, 1024), (512, 1024), 'input_frame', 10),
    ((512, 1024), (1024, 2048), 'input_frame', 10),
    ((1024, 2048), (1024, 2048), 'input_frame', 10),
)
# The reference holds every channel at full size in 64 bits: 2 GB for the largest case.
LARGEST_FOR_REFERENCE = 512 * 1024
TURNS = 6
THREADS = 2


# --- the work, in a process of each checkout


def milliseconds(action: Callable[[], Any], *, repetitions: int) -> float:
    """Return the median duration of an action after one run to warm up."""
    action()
    durations = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return float(np.median(durations)) * 1e3


def run_reference(output: NetworkOutput, geometry: InputGeometry, resolution: str) -> np.ndarray:
    """Return the dense reference's label image."""
    valid = slice(0, output.count)
    return reference_panoptic_head(
        output.semantic_logits,
        output.boxes[valid],
        output.scores[valid],
        output.classes[valid],
        output.mask_logits[valid],
        num_stuff=LABELS.num_stuff,
        image_size=(geometry.image_height, geometry.image_width),
        content_size=(geometry.content_height, geometry.content_width),
        scale=geometry.scale,
        label_resolution=resolution,
    ).label_image


class HeadWork:
    """Labels one case, enlarges its channels with OpenCV, or asks the dense reference."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._case: tuple[Any, ...] = ()

    def __call__(self, *, work: str, case: list[Any], **options: Any) -> Any:
        """The answer of one of the methods below."""
        if self._case != tuple(map(str, case)):
            input_size, image_size, self._resolution, count = case
            self._case = tuple(map(str, case))
            self._geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
            self._output = street_output(
                np.random.default_rng(0), LABELS, self._geometry, count=count
            )
        return getattr(self, work)(**options)

    def head_ms(self, *, runs: int, threads: int = 1) -> float:
        """The time of the head."""
        more = {'num_threads': threads} if threads > 1 else {}
        head = PanopticHead(LABELS, label_resolution=self._resolution, **more)
        return milliseconds(lambda: head(self._output, self._geometry), repetitions=runs)

    def opencv_ms(self, *, runs: int) -> float:
        """The time in which OpenCV enlarges each channel to the label pixels, keeping one."""
        factor = SEMANTIC_STRIDE
        if self._resolution == 'image':
            factor /= self._geometry.scale

        def enlarge() -> None:
            for channel in self._output.semantic_logits:
                cv2.resize(channel, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)

        return milliseconds(enlarge, repetitions=runs)

    def reference(self) -> dict[str, float]:
        """The time of the dense reference, and the share of pixels on which both agree."""
        labels = PanopticHead(LABELS, label_resolution=self._resolution)(
            self._output, self._geometry
        ).label_image
        began = time.perf_counter()
        dense = run_reference(self._output, self._geometry, self._resolution)
        milliseconds = 1e3 * (time.perf_counter() - began)
        return {'reference_ms': milliseconds, 'agreement': float((dense == labels).mean())}

    def memory_mb(self) -> float:
        """By how much the process grows at most while it labels a first image of this size."""
        head = PanopticHead(LABELS, label_resolution=self._resolution)
        small = InputGeometry.fit(image_size=(32, 32), input_size=(32, 32))
        head(street_output(np.random.default_rng(0), LABELS, small, count=1), small)
        Path('/proc/self/clear_refs').write_text('5')  # begins the high-water mark anew
        before = memory_kb('VmRSS')
        head(self._output, self._geometry)
        return (memory_kb('VmHWM') - before) / 1e3


def memory_kb(name: str) -> int:
    """A line of what Linux says of the memory of this process."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


# --- the question, the same to each


def measure_head(workers: dict[str, Worker], case: tuple[Any, ...], runs: int) -> dict[str, Any]:
    """Return the times of one case."""
    input_size, image_size, resolution, count = case
    row: dict[str, Any] = {
        'network_input': f'{input_size[1]}x{input_size[0]}',
        'image': f'{image_size[1]}x{image_size[0]}',
        'label_resolution': resolution,
        'instances': count,
    }
    here = workers['here']
    if max(np.prod(input_size), np.prod(image_size)) <= LARGEST_FOR_REFERENCE:
        row |= here.ask(work='reference', case=case)
        if row['agreement'] < 0.9999:
            raise SystemExit(f'head and reference agree on {row["agreement"]:.4%} of pixels only')
    times: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for name, worker in workers.items():
            answer = worker.ask(work='head_ms', case=case, runs=runs)
            times.setdefault(f'{name}_ms', []).append(answer)
        answer = here.ask(work='head_ms', case=case, runs=runs, threads=THREADS)
        times.setdefault('threads_ms', []).append(answer)
        times.setdefault('opencv_ms', []).append(here.ask(work='opencv_ms', case=case, runs=runs))
    row |= {name: statistics.median(values) for name, values in times.items()}
    for other in ('against_ms', 'opencv_ms', 'reference_ms'):
        if other in row:
            row[other.replace('_ms', '_ratio')] = row['here_ms'] / row[other]
    return row


def measure_memory(checkouts: dict[str, Path], case: tuple[Any, ...]) -> dict[str, Any]:
    """Return by how much a fresh process of each checkout grows with a case."""
    row: dict[str, Any] = {'case': case}
    for name, checkout in checkouts.items():
        with closing(Worker(__file__, checkout)) as worker:
            row[f'{name}_mb'] = worker.ask(work='memory_mb', case=case)
    num_classes, (height, width) = LABELS.num_classes, case[0]
    row['all_channels_mb'] = 4 * num_classes * height * width / 1e6
    return row


def measure_others(image_size: tuple[int, int], repetitions: int) -> dict[str, Any]:
    """Return the times of the overlay and of panoptic quality for one image."""
    rng = np.random.default_rng(0)
    truth = random_label_image(rng, LABELS, image_size, cells=10)
    predicted = disturbed(rng, truth, LABELS, noise=0.0, shift=2)
    image = rng.integers(0, 256, (*image_size, 3), dtype=np.uint8)
    quality = PanopticQuality(LABELS)
    return {
        'image': f'{image_size[1]}x{image_size[0]}',
        'overlay_ms': milliseconds(
            lambda: draw_overlay(image, truth, LABELS), repetitions=repetitions
        ),
        'panoptic_quality_ms': milliseconds(
            lambda: quality.update(predicted, truth), repetitions=repetitions
        ),
    }


def print_head(row: dict[str, Any]) -> None:
    """Print one case; ratios say what part of the other's time the head takes."""
    cells = ''.join(f'{row[name]:10.2f}' if name in row else f'{"":10}' for name, _ in TIMES)
    print(f'{row["network_input"]:>10} {row["image"]:>10} {row["label_resolution"]:>12} '
          f'{row["instances"]:>4}{cells}', flush=True)  # fmt: skip


TIMES = (
    ('here_ms', 'head'),
    ('threads_ms', f'{THREADS} threads'),
    ('against_ms', 'against'),
    ('against_ratio', 'ratio'),
    ('opencv_ms', 'OpenCV'),
    ('opencv_ratio', 'ratio'),
    ('reference_ms', 'dense'),
    ('reference_ratio', 'ratio'),
)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description='Times and memory of the panoptic head')
    parser.add_argument('--against', type=Path, help='a checkout to work beside, such as a commit')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--repetitions', type=int, default=10, help='runs per turn (10)')
    options = parser.parse_args()
    checkouts = {'here': ROOT}
    if options.against:
        checkouts['against'] = options.against.resolve()
    print(f'{"network":>10} {"image":>10} {"labels at":>12} {"n":>4}'
          + ''.join(f'{title:>10}' for _, title in TIMES))  # fmt: skip
    head = []
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(closing(Worker(__file__, checkout)))
            for name, checkout in checkouts.items()
        }
        for case in CASES:
            head.append(measure_head(workers, case, options.repetitions))
            print_head(head[-1])
    memory = measure_memory(checkouts, CASES[-1])
    print(
        f'\nmemory [MB], {head[-1]["image"]}: '
        + ', '.join(
            f'{name[:-3].replace("_", " ")} {value:.0f}'
            for name, value in memory.items()
            if name != 'case'
        )
    )
    cv2.setNumThreads(1)
    others = [measure_others(size, options.repetitions) for size in ((512, 1024), (1024, 2048))]
    print(f'\n{"image":>10} {"overlay ms":>11} {"PQ ms":>7}')
    for row in others:
        print(f'{row["image"]:>10} {row["overlay_ms"]:11.2f} {row["panoptic_quality_ms"]:7.2f}')
    write_results(
        options.output,
        'panoptic_head',
        (np, cv2),
        {'threads': THREADS, 'panoptic_head': head, 'memory': memory, 'others': others},
    )
    return 0


if __name__ == '__main__':
    sys.exit(serve(HeadWork()) if IS_WORKER else main())
