# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long a network takes on the processor: OpenVINO beside ONNX Runtime and beside PyTorch.

    .venv/training/bin/python benchmarks/network.py --output out/bench/network.json

First the shipped model, all ways by turns, call by call; once more with `ONEDNN_MAX_CPU_ISA=AVX2`,
which OpenVINO heeds in its products, and ONNX Runtime not at all. Then the network of a recipe
with random weights, exported here; PyTorch runs it as it was trained, from a process of its own.
Ratios are those of the medians to ONNX Runtime's. In single precision the two must agree, or the
benchmark fails: a fast wrong answer is not worth a number.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.beside import Worker, enter_checkout, serve  # noqa: E402

IS_WORKER = enter_checkout()

import cv2  # noqa: E402 - after the path of the checkout, as what follows
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402

from benchmarks.gpu_parts.calm_network import calm_network, make_picture  # noqa: E402
from benchmarks.model_parts.results import write_results  # noqa: E402
from training.checkpoint import Checkpoint  # noqa: E402
from training.export import build_graph, describe  # noqa: E402
from training.recipe.reading import load_recipe  # noqa: E402
from training.torch_backend import TorchBackend  # noqa: E402
from upsnet_ros.agreement import Agreement  # noqa: E402
from upsnet_ros.backends.backend import Backend  # noqa: E402
from upsnet_ros.backends.openvino_backend import precisions_of  # noqa: E402
from upsnet_ros.backends.select import create_backend  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry, place_image  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402

MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
RECIPE = ROOT / 'config' / 'training' / 'upsnet_r50_cityscapes.yaml'
PICTURES = ROOT / 'config' / 'golden_frames'
REFERENCE = 'onnxruntime fp32'
TORCH = 'torch fp32'
AVX2 = {'ONEDNN_MAX_CPU_ISA': 'AVX2'}
LARGEST_DIFFERENCE = 0.05  # of semantic logits, where both compute in single precision


# --- the work, in a process of each environment


class NetworkWork:
    """Runs networks on one picture, and says how long each run took."""

    def __init__(self) -> None:
        self._backends: dict[tuple[str, ...], Backend] = {}
        self._torch: TorchBackend | None = None

    def __call__(self, *, work: str, **options: Any) -> Any:
        """The answer of one of the methods below."""
        return getattr(self, work)(**options)

    def onnx(self, *, model: str, ways: list[str], runs: int, cache: str) -> dict[str, Any]:
        """The milliseconds of each run of each way, by turns.

        Args:
            model: the ONNX file.
            ways: a backend and a precision each, such as `openvino bf16`.
            runs: of each.
            cache: a folder for what OpenVINO compiles.
        """
        manifest = ModelManifest.load(model)
        image = read_picture(manifest.input_size)
        for way in ways:
            if (model, way) not in self._backends:
                name, precision = way.split()
                self._backends[model, way] = create_backend(
                    model, manifest, name=name, precision=precision, cache_folder=cache
                )
                self._backends[model, way].infer(image)
        backends = {way: self._backends[model, way] for way in ways}
        answers = {way: backend.infer(image) for way, backend in backends.items()}
        reference = next(iter(answers.values())).semantic_logits
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(runs):
            for way, backend in backends.items():
                times[way].append(milliseconds(lambda run=backend.infer: run(image)))
        return {
            'times': times,
            'precision': {way: backend.precision for way, backend in backends.items()},
            'difference': {
                way: float(np.abs(answer.semantic_logits - reference).max())
                for way, answer in answers.items()
            },
        }

    def export(self, *, recipe: str, size: tuple[int, int], folder: str) -> str:
        """Write a recipe's network with random weights, of a (height, width); return the file."""
        height, width = size
        values = load_recipe(
            Path(recipe), overrides=[f'data.input_height={height}', f'data.input_width={width}']
        )
        model = calm_network(values, make_picture((height, width), 'cpu'))
        graph = build_graph(model, input_size=(height, width))
        content = graph.SerializeToString()
        path = Path(folder) / 'model.onnx'
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        checkpoint = Checkpoint.from_weights(values, {})
        describe(checkpoint, graph, digest, Agreement()).write(path.with_suffix('.json'))
        self._torch = TorchBackend(model, input_size=(height, width))
        self._torch.infer(read_picture((height, width)))
        return str(path)

    def torch(self, *, runs: int) -> list[float]:
        """The milliseconds of each run of the exported network as it was trained."""
        assert self._torch is not None
        image = read_picture(self._torch.input_size)
        return [milliseconds(lambda: self._torch.infer(image)) for _ in range(runs)]


def milliseconds(action: Callable[[], Any]) -> float:
    """How long an action takes."""
    began = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - began)


def read_picture(size: tuple[int, int]) -> np.ndarray:
    """A frame that belongs to the shipped model, in a network's input of a (height, width)."""
    image = cv2.imread(str(min(PICTURES.glob('*.jpg'))))
    return place_image(image, InputGeometry.fit(image_size=image.shape[:2], input_size=size))


# --- the question


def ask(worker: Worker, model: Path | str, ways: list[str], runs: int, cache: str) -> Any:
    """What `NetworkWork.onnx` answers; ends the benchmark where an answer is wrong."""
    answer = worker.ask(work='onnx', model=str(model), ways=ways, runs=runs, cache=cache)
    for way, difference in answer['difference'].items():
        if answer['precision'][way] == 'fp32' and not difference <= LARGEST_DIFFERENCE:
            raise SystemExit(f'{way}: semantic logits of {model} differ by {difference:.3g}')
    return answer


def make_rows(what: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Median, least and ratio of each way, printed and returned."""
    rows = []
    medians = {way: statistics.median(times) for way, times in answer['times'].items()}
    for way, times in answer['times'].items():
        rows.append(
            {
                'network': what,
                'way': way,
                'precision': answer['precision'].get(way, 'fp32'),
                'median_ms': medians[way],
                'least_ms': min(times),
                'ratio': medians[way] / medians[REFERENCE],
                'semantic_difference': answer['difference'].get(way),
            }
        )
        row = rows[-1]
        print(
            f'{what:>28} {way:>18} {row["precision"]:>6} {row["median_ms"]:10.1f} '
            f'{row["least_ms"]:10.1f} {row["ratio"]:8.3f}',
            flush=True,
        )
    return rows


def measure_shipped(model: Path, calls: int, cache: str) -> list[dict[str, Any]]:
    """The rows of a model, with all that the processor can, and with AVX2 alone."""
    rows = []
    ways = [REFERENCE, *(f'openvino {name}' for name in ('fp32', *narrow_precisions()))]
    for what, these, environment in (
        ('shipped', ways, {}),
        ('shipped, oneDNN with AVX2', [REFERENCE, 'openvino auto'], AVX2),
    ):
        with closing(Worker(__file__, ROOT, **environment)) as worker:
            rows += make_rows(what, ask(worker, model, these, calls, f'{cache}/{len(rows)}'))
    return rows


def narrow_precisions() -> list[str]:
    """`bf16`, where the processor multiplies it."""
    return [name for name in precisions_of('cpu') if name == 'bf16']


def measure_recipe(
    recipe: Path, size: tuple[int, int], turns: int, folder: str
) -> list[dict[str, Any]]:
    """The rows of a recipe's network of a (height, width)."""
    ways = [REFERENCE, 'openvino auto']
    with (
        closing(Worker(__file__, ROOT)) as trained,
        closing(Worker(__file__, ROOT)) as exported,
    ):
        model = trained.ask(work='export', recipe=str(recipe), size=size, folder=folder)
        answer = ask(exported, model, ways, 1, folder)
        answer['times'] = {way: [] for way in (*ways, TORCH)}
        for _ in range(turns):
            times = ask(exported, model, ways, 1, folder)['times']
            times[TORCH] = trained.ask(work='torch', runs=1)
            for way, found in times.items():
                answer['times'][way] += found
    return make_rows(f'{recipe.stem} {size[1]}x{size[0]}', answer)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description='How long a network takes on the processor')
    parser.add_argument('--model', type=Path, default=MODEL, help='an exported model')
    parser.add_argument('--recipe', type=Path, default=RECIPE, help='a training recipe')
    parser.add_argument('--size', default='1024x512', help="of the recipe's network")
    parser.add_argument('--calls', type=int, default=40, help='of each way of the model')
    parser.add_argument('--turns', type=int, default=5, help="of the recipe's network")
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    options = parser.parse_args()
    width, height = map(int, options.size.split('x'))
    print(f'{"network":>28} {"way":>18} {"in":>6} {"median ms":>10} {"least ms":>10} {"ratio":>8}')
    with TemporaryDirectory() as folder:
        rows = measure_shipped(options.model, options.calls, folder)
        rows += measure_recipe(options.recipe, (height, width), options.turns, folder)
    import openvino  # after upsnet_ros.backends, which keeps it from reporting its use

    libraries = (onnxruntime, openvino, torch, np)
    write_results(options.output, 'network', libraries, {'rows': rows})
    return 0


if __name__ == '__main__':
    sys.exit(serve(NetworkWork()) if IS_WORKER else main())
