# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Is suppression in a fixed number of rounds greedy suppression? Counted on real proposals.

    .venv/runtime/bin/python benchmarks/nms_exactness.py --data data/synthetic --frames 200

The graph resolves chains of suppressions (a box that is kept because its suppressor is suppressed
by another, and so on) as deep as it has rounds. Here the graph's own overlaps and flags are read
out on each frame and put through the greedy loop. Without `--data`, frames of synthetic worlds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.labelled_frames import (  # noqa: E402 - after the path of this checkout
    parse_options,
    read_frames,
)
from benchmarks.model_parts.results import write_results  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry, place_image  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402


@dataclass(frozen=True)
class Suppression:
    """The tensors of one unrolled suppression.

    Attributes:
        overlaps: Matrix ``[..., n, n]``: 1 where the row's box, earlier, overlaps too much.
        alive: ``[..., 1, n]``: 1 for real boxes.
        kept: ``[..., 1, n]``: the answer.
        rounds: How often the rule is applied.
    """

    overlaps: str
    alive: str
    kept: str
    rounds: int


@dataclass
class Counts:
    """What was seen of one suppression."""

    lists: int = 0
    boxes: int = 0
    wrong_lists: int = 0
    wrong_boxes: int = 0
    longest_chain: int = 0
    chains: list[int] | None = None

    def add(self, overlaps: np.ndarray, alive: np.ndarray, kept: np.ndarray) -> None:
        """Compare one list of boxes: ``[n, n]``, ``[n]`` and ``[n]`` bool."""
        exact = greedy(overlaps, alive)
        wrong = int((kept != exact).sum())
        depth = rounds_needed(overlaps, alive, exact)
        self.lists += 1
        self.boxes += int(alive.sum())
        self.wrong_lists += wrong > 0
        self.wrong_boxes += wrong
        self.longest_chain = max(self.longest_chain, depth)
        self.chains = [*(self.chains or []), depth]


def find_suppressions(model: onnx.ModelProto) -> list[Suppression]:
    """Return the unrolled suppressions of a graph: products of a list with one same matrix."""
    constants = {tensor.name for tensor in model.graph.initializer}
    products: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == 'MatMul' and not constants & set(node.input):
            products.setdefault(node.input[1], []).append(node)
    users = {name: node for node in model.graph.node for name in node.input}
    found = []
    for overlaps, rounds in products.items():
        difference = users[rounds[-1].output[0]]
        kept = users[difference.output[0]].output[0]
        found.append(Suppression(overlaps, rounds[0].input[0], kept, len(rounds)))
    return found


def greedy(overlaps: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return the boxes that greedy suppression keeps, bool ``[n]``."""
    left = alive.copy()
    for index in range(len(left)):
        if left[index]:
            left &= ~overlaps[index]
    return left


def rounds_needed(overlaps: np.ndarray, alive: np.ndarray, exact: np.ndarray) -> int:
    """Return after how many rounds, beginning with all boxes, the answer is the greedy one."""
    kept, rounds = alive, 0
    while not np.array_equal(kept, exact):
        kept = alive & ~(kept.astype(np.float32) @ overlaps > 0)
        rounds += 1
    return rounds


def measure(path: Path, data: Path | None, count: int) -> dict[str, dict[str, object]]:
    """Return the counts of each suppression over the frames."""
    manifest = ModelManifest.load(path)
    model = onnx.load(path)
    suppressions = find_suppressions(model)
    wanted = [name for s in suppressions for name in (s.overlaps, s.alive, s.kept)]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    (image,) = session.get_inputs()
    size = (image.shape[1], image.shape[2])
    counts = [Counts() for _ in suppressions]
    for frame, _ in tqdm(read_frames(data, count, manifest), total=count):
        geometry = InputGeometry.fit(image_size=frame.shape[:2], input_size=size)
        values = session.run(wanted, {image.name: place_image(frame, geometry)[None]})
        for index, count_of in enumerate(counts):
            overlaps, alive, kept = (value > 0.5 for value in values[3 * index : 3 * index + 3])
            number = overlaps.shape[-1]
            for one in zip(
                overlaps.reshape(-1, number, number),
                alive.reshape(-1, number),
                kept.reshape(-1, number),
                strict=True,
            ):
                count_of.add(*one)
    names = ('proposals', 'candidates') if len(counts) == 2 else map(str, range(len(counts)))
    return {
        name: summary(count_of, suppression)
        for name, count_of, suppression in zip(names, counts, suppressions, strict=True)
    }


def summary(counts: Counts, suppression: Suppression) -> dict[str, object]:
    """Return the figures of one suppression."""
    chains = np.bincount(counts.chains or [0]).tolist()
    return {
        'rounds_of_the_graph': suppression.rounds,
        'lists': counts.lists,
        'boxes': counts.boxes,
        'lists_unlike_greedy': counts.wrong_lists,
        'boxes_unlike_greedy': counts.wrong_boxes,
        'longest_chain': counts.longest_chain,
        'lists_by_rounds_needed': chains,
    }


def main() -> int:
    """Measure, print, write; fail where a list is not suppressed as greedy suppression would."""
    options = parse_options(__doc__)
    result = measure(options.model, options.data, options.frames)
    for name, figures in result.items():
        print(name)
        for key, value in figures.items():
            print(f'  {key:24}{value}')
    write_results(
        options.output, 'nms_exactness', (onnxruntime, np), {'frames': options.frames} | result
    )
    return 1 if any(figures['boxes_unlike_greedy'] for figures in result.values()) else 0


if __name__ == '__main__':
    sys.exit(main())
