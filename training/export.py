# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Export a checkpoint: ``python -m training.export --checkpoint C --data DIR --output FOLDER``.

Writes ``model.onnx`` and ``model.json``, with an input of the recipe's size or of ``--size``. A
model that lies there is replaced only when PyTorch and ONNX Runtime agree on frames of the data
set.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from training.build import load_trained_model
from training.checkpoint import Checkpoint, load_checkpoint
from training.data.errors import DataError
from training.data.formats import add_place_options, guess_format, open_data_set
from training.data.frames import Places
from training.data.image_files import read_image
from training.engine.tensors import data_dependent_shapes
from training.export_check import compare, require_agreement
from training.export_wrapper import ExportWrapper, round_weights
from training.interruption import interruptible
from training.models.upsnet import UPSNet
from training.onnx_graph import (
    store_half_weights,
    strip_provenance,
    trace,
    use_own_operator,
)
from training.recipe.data import LARGEST_SIDE, DataRecipe, is_input_side
from upsnet_ros.agreement import Agreement
from upsnet_ros.core.errors import ModelError, ParameterError, UpsnetError
from upsnet_ros.core.geometry import PAD_VALUE, SIDE_MULTIPLE
from upsnet_ros.manifest import ModelManifest

LOGGER = logging.getLogger(__name__)


def build_graph(model: UPSNet, *, input_size: tuple[int, int]) -> onnx.ModelProto:
    """The ONNX graph of a network whose weights are rounded to half precision.

    Raises:
        ModelError: If a shape in the graph depends on the data.
    """
    graph = use_own_operator(trace(ExportWrapper(model, input_size=input_size)))
    loose = data_dependent_shapes(graph)
    if loose:
        raise ModelError(
            f'the graph has values without a fixed shape: {", ".join(loose[:5])}; a graph for '
            'CUDA graphs and TensorRT must not; see training/export_wrapper.py'
        )
    graph = strip_provenance(store_half_weights(graph))
    onnx.checker.check_model(graph, full_check=True)
    return graph


def describe(
    checkpoint: Checkpoint,
    graph: onnx.ModelProto,
    digest: str,
    agreement: Agreement,
    *,
    metrics: dict[str, Any] | None = None,
) -> ModelManifest:
    """The manifest of an exported model."""
    recipe = checkpoint.recipe
    return ModelManifest.from_dict(
        {
            'format_version': 1,
            'name': recipe.name,
            'label_set': recipe.data.label_set.to_dict(),
            'input': {
                'name': 'image',
                'height': recipe.data.input_height,
                'width': recipe.data.input_width,
                'layout': 'NHWC',
                'channel_order': 'BGR',
                'dtype': 'uint8',
                'pad_value': list(PAD_VALUE),
            },
            'outputs': describe_outputs(graph),
            'panoptic_head': recipe.panoptic_head.parameters(),
            'sha256': digest,
            'recipe': recipe.to_dict(),
            'training': {
                'steps': checkpoint.step,
                'hours': round(checkpoint.seconds / 3600, 3),
                'seed': recipe.optimisation.seed,
                'export_agreement': agreement.to_dict(),
            },
            'metrics': metrics or {},
        }
    )


def describe_outputs(graph: onnx.ModelProto) -> dict[str, Any]:
    """Shapes and types of the graph's outputs."""
    outputs = {}
    for value in graph.graph.output:
        tensor = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
        outputs[value.name] = {
            'shape': [dim.dim_value for dim in tensor.shape.dim],
            'dtype': dtype,
        }
    return outputs


def export(
    checkpoint: Checkpoint,
    images: list[Path],
    output: Path,
    *,
    metrics: dict[str, Any] | None = None,
) -> Agreement:
    """Export, compare, and write the model only if the comparison holds.

    Args:
        checkpoint: What to export; its averaged weights where there are some.
        images: Camera images to compare on; none of them is the traced input.
        output: Folder of ``model.onnx`` and ``model.json``.
        metrics: Figures of an evaluation, kept in the manifest.

    Raises:
        ModelError: If the runtimes disagree or the graph is not fit.
        OSError: If a file cannot be written.
    """
    data = checkpoint.recipe.data
    output.mkdir(parents=True, exist_ok=True)  # before minutes are spent
    rounded = round_weights(load_trained_model(checkpoint))
    graph = build_graph(rounded, input_size=(data.input_height, data.input_width))
    content = graph.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory(dir=output, prefix='.partial-') as folder:
        trial = Path(folder) / 'model.onnx'
        trial.write_bytes(content)
        describe(checkpoint, graph, digest, Agreement()).write(trial.with_suffix('.json'))
        agreement = compare(rounded, trial, [read_image(path) for path in images])
        require_agreement(agreement)
        manifest = describe(checkpoint, graph, digest, agreement, metrics=metrics)
        manifest.write(trial.with_suffix('.json'))
        for name in ('model.onnx', 'model.json'):
            os.replace(trial.with_name(name), output / name)
    return agreement


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the export command."""
    parser = argparse.ArgumentParser(prog='python -m training.export', description=__doc__)
    parser.add_argument('--checkpoint', type=Path, required=True, help='.pt file of training')
    parser.add_argument('--data', type=Path, required=True, help='folder of the data set')
    add_place_options(parser.add_argument)
    parser.add_argument(
        '--split', help="frames to compare on (default: the recipe's validation split)"
    )
    parser.add_argument('--frames', type=int, default=20, help='how many of them (default: 20)')
    parser.add_argument('--output', type=Path, required=True, help='folder of the model')
    parser.add_argument(
        '--size',
        metavar='WIDTHxHEIGHT',
        help="of the network's input in pixels, multiples of 32 (default: the recipe's)",
    )
    parser.add_argument(
        '--metrics', type=Path, help='metrics.json of training.evaluate, kept in the manifest'
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        if options.frames < 1:
            raise ParameterError(f'--frames is {options.frames}, expected at least 1')
        metrics = read_metrics(options.metrics) if options.metrics else None
        size = read_size(options.size) if options.size is not None else None
        checkpoint = load_checkpoint(options.checkpoint)
        if size is not None:
            if metrics and at_size(checkpoint, size).recipe != checkpoint.recipe:
                LOGGER.warning(
                    '%s is kept in the manifest, but may be of the size of the recipe, not of %s; '
                    'measure the exported model with training.evaluate --model model.onnx',
                    *(options.metrics, options.size),
                )
            checkpoint = at_size(checkpoint, size)
        images = find_images(options, checkpoint.recipe.data)
        agreement = export(checkpoint, images, options.output, metrics=metrics)
    except (UpsnetError, OSError) as error:
        LOGGER.error('export refused: %s', error)
        return 1
    data = checkpoint.recipe.data
    LOGGER.info(
        'PyTorch and ONNX Runtime agree: %s\nwritten to %s (for %dx%d pixels, %.1f MB)',
        agreement,
        options.output,
        data.input_width,
        data.input_height,
        (options.output / 'model.onnx').stat().st_size / 1e6,
    )
    return 0


def read_size(text: str) -> tuple[int, int]:
    """Height and width of ``WIDTHxHEIGHT``.

    Raises:
        ParameterError: If it is something else, or a network cannot have that input.
    """
    match = re.fullmatch(r'(\d{1,9})x(\d{1,9})', text)
    sides = tuple(map(int, match.groups())) if match else ()
    if not match or not all(map(is_input_side, sides)):
        near = (
            min(max(round(side / SIDE_MULTIPLE), 1) * SIDE_MULTIPLE, LARGEST_SIDE)
            for side in sides or (1024, 512)
        )
        raise ParameterError(
            f"--size is '{text}', expected WIDTHxHEIGHT in pixels, both multiples of "
            f'{SIDE_MULTIPLE} from {SIDE_MULTIPLE} to {LARGEST_SIDE}; give for example '
            f'{"x".join(map(str, near))}'
        )
    width, height = sides
    return height, width


def at_size(checkpoint: Checkpoint, size: tuple[int, int]) -> Checkpoint:
    """The checkpoint with another height and width of the input; no weight depends on them."""
    recipe = checkpoint.recipe
    data = replace(recipe.data, input_height=size[0], input_width=size[1])
    return replace(checkpoint, recipe=replace(recipe, data=data))


def find_images(options: argparse.Namespace, recipe: DataRecipe) -> list[Path]:
    """Images of the data set to compare on; truth is not needed.

    Raises:
        DataError: If there are none.
    """
    layout = options.format
    if layout == 'auto':
        layout = guess_format(options.data, usual=recipe.format)
    own = recipe.places if layout == recipe.format else Places()
    places = Places(options.images or own.images, options.truth or own.truth)
    reader = open_data_set(options.data, layout, recipe.label_set, places)
    split = options.split or recipe.validation_split
    frames = reader.frames_without_truth(split) or reader.frames(split)
    return [frame.image for frame in frames[: options.frames]]


def read_metrics(path: Path) -> dict[str, Any]:
    """Figures that ``training.evaluate`` wrote.

    Raises:
        DataError: If the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f'{path}: expected metrics.json of training.evaluate: {error}') from error


if __name__ == '__main__':
    sys.exit(interruptible(main))
