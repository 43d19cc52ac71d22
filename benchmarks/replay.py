# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an offline evaluation costs beside the network: wall time, reading, memory.

A synthetic drive is evaluated with the shipped model; its share of wall time in the network must
be at least 0.9. A bag of 2,000 frames is read by `rosbags` alone, and by us with images and ground
truth joined, alternately; the ratio of the shortest times must be at most 1.2. Memory is that of a
process of its own after 200 and after 2,000 frames, with a network that answers at once, so that
all the rest runs as fast as it can.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import onnxruntime  # noqa: E402 - after the path of this checkout
from rosbags.highlevel import AnyReader  # noqa: E402
from rosbags.rosbag2 import (  # noqa: E402
    CompressionFormat,
    CompressionMode,
    StoragePlugin,
    Writer,
)

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.synthetic.bag import write_bag  # noqa: E402
from training.synthetic.drive import render_drive  # noqa: E402
from upsnet_ros.bags.cameras import find_cameras  # noqa: E402
from upsnet_ros.bags.joining import BagPart, ReplayStream  # noqa: E402
from upsnet_ros.bags.reader import BagReader  # noqa: E402
from upsnet_ros.core.structures import MASK_SIZE, NetworkOutput  # noqa: E402
from upsnet_ros.evaluation.offline import (  # noqa: E402
    OfflineOptions,
    evaluate_offline,
)
from upsnet_ros.installed_files import default_model_path  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402
from upsnet_ros.pipeline import PanopticPipeline  # noqa: E402

DRIVE_FRAMES = 60
READ_REPEATS = 5
MEMORY_FRAMES = (200, 2000)
LEAST_NETWORK_SHARE = 0.9
GREATEST_READING = 1.2


def network_share(bag: Path, folder: Path) -> dict[str, float]:
    """Evaluate a drive with the shipped model, writing everything that can be written."""
    model = default_model_path()
    options = OfflineOptions(
        bag=bag, model=model, output=folder / 'out', write_png=True, write_bag=folder / 'labels'
    )
    with PanopticPipeline.load(model) as pipeline:
        report = evaluate_offline(options, pipeline, lambda done, total: None)
    return {f'evaluation_{name}': value for name, value in report.speed.items()}


def bare_seconds(bag: Path) -> float:
    """Time of `rosbags` for all messages of a bag."""
    start = time.perf_counter()
    with AnyReader([bag]) as reader:
        total = sum(len(data) for _, _, data in reader.messages())
    assert total
    return time.perf_counter() - start


def our_seconds(bag: Path) -> float:
    """Time for the images of a bag joined with their ground truth, not decoded."""
    start = time.perf_counter()
    with BagReader(bag) as opened:
        stream = ReplayStream(opened, find_cameras(opened), part=BagPart())
        joined = sum(frame.truth is not None for frame in stream)
    assert joined >= max(MEMORY_FRAMES)
    return time.perf_counter() - start


def reading(bag: Path) -> dict[str, float]:
    """Shortest seconds of both ways to read, taken alternately, and their ratio."""
    bare_seconds(bag)  # the file comes into the system's cache
    pairs = [(bare_seconds(bag), our_seconds(bag)) for _ in range(READ_REPEATS)]
    bare, ours = (min(times) for times in zip(*pairs, strict=True))
    return {'read_bare_s': bare, 'read_joined_s': ours, 'read_ratio': ours / bare}


class InstantNetwork:
    """Says road everywhere, at once."""

    name, device = 'instant', 'cpu'

    def __init__(self, manifest: ModelManifest) -> None:
        self.input_size = manifest.input_size
        height, width = manifest.input_size
        logits = np.zeros((manifest.label_set.num_classes, height // 4, width // 4), np.float32)
        logits[0] = 5.0
        self._answer = NetworkOutput(
            semantic_logits=logits,
            boxes=np.zeros((1, 4), np.float32),
            scores=np.zeros(1, np.float32),
            classes=np.zeros(1, np.int32),
            mask_logits=np.zeros((1, MASK_SIZE, MASK_SIZE), np.float32),
            count=0,
        )

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """The answer."""
        return self._answer

    def close(self) -> None:
        """Nothing is held."""


def repeated_bag(bag: Path, target: Path, frames: int) -> None:
    """Write the messages of a bag again and again, with later stamps, until there are enough."""
    writer = Writer(target, version=8, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with AnyReader([bag]) as reader, writer:
        links = {}
        for turn in range(-(-frames // DRIVE_FRAMES)):
            for connection, recorded_ns, data in reader.messages():
                if connection.topic not in links:
                    links[connection.topic] = writer.add_connection(
                        connection.topic, connection.msgtype, typestore=reader.typestore
                    )
                message = reader.deserialize(data, connection.msgtype)
                message.header.stamp.sec += 60 * turn
                again = reader.typestore.serialize_cdr(message, connection.msgtype)
                writer.write(links[connection.topic], recorded_ns + 60 * 10**9 * turn, again)


def print_memory(bag: Path, folder: Path) -> None:
    """In a process of its own: evaluate a long bag and print memory [MB] on the way, as JSON."""
    manifest = ModelManifest.load(default_model_path())
    resident: dict[int, float] = {}

    def watch(done: int, total: int) -> None:
        if done in MEMORY_FRAMES:
            resident[done] = psutil.Process().memory_info().rss / 1e6

    options = OfflineOptions(
        bag=bag,
        model=default_model_path(),
        output=folder / 'out',
        part=BagPart(limit=max(MEMORY_FRAMES)),
    )
    start = time.perf_counter()
    with PanopticPipeline(InstantNetwork(manifest), manifest) as pipeline:
        evaluate_offline(options, pipeline, watch)
    seconds = time.perf_counter() - start
    result = {f'memory_mb_after_{frames}': value for frames, value in resident.items()}
    print(json.dumps(result | {'frames_per_second_beside_network': max(resident) / seconds}))


def measure(folder: Path) -> dict[str, float]:
    """All figures."""
    bag = folder / 'drive'
    write_bag(bag, render_drive(6, size=(1024, 512), frames=DRIVE_FRAMES, rate=9.0), raw=False)
    long_bag = folder / 'long'
    repeated_bag(bag, long_bag, max(MEMORY_FRAMES))
    result = network_share(bag, folder / 'share') | reading(long_bag)
    command = [sys.executable, __file__, '--memory', str(long_bag)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return result | json.loads(answer.stdout.splitlines()[-1])


def main() -> int:
    """Measure, print, write; status 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--memory', type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='upsnet_bench_') as folder:
        if options.memory:
            print_memory(options.memory, Path(folder))
            return 0
        result = measure(Path(folder))
    for name, value in result.items():
        print(f'{name:34}{value:10.3f}')
    write_results(
        options.output, 'replay', (onnxruntime, np), {'drive_frames': DRIVE_FRAMES} | result
    )
    is_fast = result['evaluation_network_share'] >= LEAST_NETWORK_SHARE
    is_light = result['read_ratio'] <= GREATEST_READING
    return 0 if is_fast and is_light else 1


if __name__ == '__main__':
    sys.exit(main())
