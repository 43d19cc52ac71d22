# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model: ``python -m training.evaluate --model M --data DIR --output OUT``.

The model is a training checkpoint (``.pt``) or an exported model (``.onnx`` beside its ``.json``).
A checkpoint is tested as the published models are: images resized by their short side, padded to
multiples of 32, at the size its recipe says; ``--fixed-input`` tests it on the exported network's
one size instead. Started by torchrun, the processes share the frames.

The rows of the paper's tables:
  UPSNet-M          --model upsnet.pt --multi-scale --flip
  UPSNet-CP         --model upsnet.pt --head heuristic
  UPSNet-C          --model trained_without_panoptic_loss.pt --head heuristic
  MR-CNN-PSP        --model mask_rcnn.pt --semantic-model pspnet.pt
  table 6, oracles  --oracle boxes; --oracle boxes --oracle classes; --oracle segmentation
"""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import torch

from training.build import load_trained_model
from training.checkpoint import load_checkpoint
from training.data.formats import open_data_set
from training.distributed import Processes, joined_processes
from training.inference.assembly import TrainedNetwork, build_head, build_labeller
from training.inference.evaluation import Evaluation, evaluate_labeller
from training.inference.fixed_input import FixedInput
from training.inference.labeller import Labeller
from training.inference.options import HEADS, InferenceOptions
from training.inference.oracles import ORACLES
from upsnet_ros.backends.select import create_backend
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.core.panoptic_head import INSTANCE_CLASSES
from upsnet_ros.manifest import ModelManifest

LOGGER = logging.getLogger(__name__)
DEFAULT_FORMAT = 'cityscapes'  # of manifests that do not tell


def load_labeller(
    path: Path, semantic_path: Path | None, options: InferenceOptions, device: torch.device
) -> tuple[Labeller, str]:
    """Load a checkpoint, a pair of them, or an exported model.

    Returns:
        What labels images, and the format of the data set it was trained on.

    Raises:
        UpsnetError: If a file is missing or damaged, or the options cannot be had with it.
    """
    if path.suffix == '.onnx':
        return _load_exported(path, semantic_path, options)
    network = _load_network(path, device)
    semantic = _load_network(semantic_path, device) if semantic_path else None
    return build_labeller(network, options, semantic=semantic), network.recipe.data.format


def _load_network(path: Path, device: torch.device) -> TrainedNetwork:
    checkpoint = load_checkpoint(path)
    return TrainedNetwork(load_trained_model(checkpoint).to(device), checkpoint.recipe)


def _load_exported(
    path: Path, semantic_path: Path | None, options: InferenceOptions
) -> tuple[Labeller, str]:
    if semantic_path is not None:
        raise ParameterError('--semantic-model beside an exported model; expected two checkpoints')
    manifest = ModelManifest.load(path)
    backend = create_backend(path, manifest, name='onnxruntime')
    network = FixedInput(backend, pad_value=manifest.input.pad_value)
    head = build_head(manifest.label_set, dict(manifest.panoptic_head), options, kind='unified')
    layout = manifest.recipe.get('data', {}).get('format', DEFAULT_FORMAT)
    return Labeller(network, head), layout


def format_table(metrics: dict[str, Any]) -> str:
    """Human-readable table of an evaluation."""
    summary, semantics = metrics['pq'], metrics['miou']
    lines = [f'{"":16}{"PQ":>8}{"SQ":>8}{"RQ":>8}{"IoU":>8}']
    rows = [(group, summary[group]) for group in ('all', 'things', 'stuff')]
    rows += [(row['name'], row) for row in summary['per_class']]
    iou = {} if semantics is None else {'all': semantics['miou'], **semantics['per_class']}
    for name, row in rows:
        cells = ''.join(f'{row[key]:8.1f}' for key in ('pq', 'sq', 'rq'))
        value = iou.get(name)
        lines.append(f'{name:16}{cells}' + ('' if value is None else f'{value:8.1f}'))
    return '\n'.join(lines)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the evaluation command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.evaluate',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--model', type=Path, required=True, help='checkpoint (.pt) or exported model (.onnx)')
    add('--semantic-model', type=Path, help='second checkpoint, for the semantic logits')
    add('--data', type=Path, required=True, help='folder of the data set')
    add('--split', default='val', help='part of the data set (default: val)')
    add('--limit', type=int, help='evaluate only the first N frames')
    add('--short-side', type=int, metavar='N', help="pixels (default: the recipe's)")
    add('--max-long-side', type=int, metavar='M', help="pixels (default: the recipe's)")
    add('--fixed-input', action='store_true', help="test on the exported network's one size")
    add('--multi-scale', action='store_true', help='average semantic logits over sizes')
    add('--flip', action='store_true', help='average semantic logits with the mirror image')
    add(
        '--window',
        type=int,
        metavar='N',
        help='the semantic network sees square windows of N pixels, 0: whole images (default: '
        'the crops that a PSPNet was trained on)',
    )
    add(
        '--oracle',
        action='append',
        default=[],
        choices=ORACLES,
        help='the truth in the place of a part of the answer; repeatable',
    )
    add('--head', choices=HEADS, help="default: the recipe's panoptic_head.kind")
    add('--instance-class', choices=INSTANCE_CLASSES, help="default: the recipe's")
    add('--no-unknown', action='store_true', help='unified head without unknown channel')
    add('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    add('--output', type=Path, required=True, help='folder for metrics.json')
    return parser.parse_args(arguments)


def read_options(values: argparse.Namespace) -> InferenceOptions:
    """The options of a command line.

    Raises:
        ParameterError: If they contradict each other.
    """
    return InferenceOptions(
        short_side=values.short_side,
        max_long_side=values.max_long_side,
        multi_scale=values.multi_scale,
        flip=values.flip,
        window=values.window,
        oracles=tuple(dict.fromkeys(values.oracle)),
        head=values.head,
        instance_class=values.instance_class,
        predict_unknown=False if values.no_unknown else None,
        fixed_input=values.fixed_input or values.model.suffix == '.onnx',
    )


def evaluate(values: argparse.Namespace, processes: Processes) -> dict[str, Any]:
    """The metrics of a command line, over the frames of all processes.

    Raises:
        UpsnetError: If anything cannot be used.
    """
    options = read_options(values)
    if values.limit is not None and values.limit < 1:
        raise ParameterError(f'--limit is {values.limit}, expected at least 1 frame')
    labeller, layout = load_labeller(
        values.model, values.semantic_model, options, processes.device
    )
    label_set = labeller.head.label_set
    reader = open_data_set(values.data, layout, label_set)
    frames = reader.frames(values.split)[: values.limit]
    share = evaluate_labeller(
        labeller,
        frames[processes.rank :: processes.world],
        reader,
        progress=processes.is_first,
    )
    total = processes.total(torch.from_numpy(share.state())).cpu().numpy()
    metrics = Evaluation.from_state(label_set, total).to_dict()
    settings = {
        'split': values.split,
        **options.to_dict(),
        'head': type(labeller.head).__name__,
        'parameters': labeller.head.parameters,
    }
    return metrics | {'options': settings}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    values = parse_arguments(arguments)
    try:
        with joined_processes(values.device) as processes:
            metrics = evaluate(values, processes)
            if processes.is_first:
                values.output.mkdir(parents=True, exist_ok=True)
                path = values.output / 'metrics.json'
                path.write_text(json.dumps(metrics, indent=2) + '\n')
                LOGGER.info('%s\nwritten to %s', format_table(metrics), path)
    except (UpsnetError, OSError) as error:
        LOGGER.error('evaluation stopped: %s', error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
