# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bring a published checkpoint: turns its .pth file into a checkpoint of this project.

``python -m training.import_official --weights FILE.pth --variant VARIANT --output FILE``

The result can be evaluated, inspected, exported and fine-tuned like any other. Nothing in the file
is executed. The published weights are licensed for non-commercial use only.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from training.build import build_model
from training.checkpoint import Checkpoint, save_checkpoint
from training.initial.weight_file import read_weight_file
from training.interruption import interruptible
from training.official_names import COUNTER, official_name
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError, UpsnetError

LOGGER = logging.getLogger(__name__)

VARIANTS = ('r50_cityscapes', 'r101_cityscapes', 'r50_coco', 'r101_dcn_coco')
RECIPES = Path(__file__).parents[1] / 'config' / 'training'
LICENCE_NOTE = (
    'the published UPSNet weights are licensed by their owners for non-commercial use only; that '
    'holds for this checkpoint and for every model made from it, whatever the licence of this code'
)


class OfficialWeightsError(ModelError):
    """A file that is not the published checkpoint it should be; the message names each tensor.

    Attributes:
        problems: One line for each tensor that does not fit; empty if there is no tensor at all.
    """

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        self.problems = problems
        super().__init__('\n  '.join((message, *problems)))


def variant_recipe(variant: str) -> Recipe:
    """The recipe of a published model."""
    return load_recipe(RECIPES / f'upsnet_{variant}.yaml')


def expected_tensors(recipe: Recipe) -> dict[str, Tensor]:
    """Our names with tensors of the right shape and type, which take no memory."""
    with torch.device('meta'):
        return build_model(recipe).state_dict()


def find_problems(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """One line for each tensor that is missing, unexpected, or not what it should be.

    Args:
        weights: Tensors by published name.
        expected: Tensors by our name, see :func:`expected_tensors`.
    """
    wanted = {official_name(name): tensor for name, tensor in expected.items()}
    problems = []
    for name, tensor in wanted.items():
        if name.endswith(COUNTER):
            continue
        problem = _problem(weights[name], tensor) if name in weights else 'missing'
        problems += [f'{name}: {problem}'] if problem else []
    unexpected = [name for name in weights if name not in wanted and not name.endswith(COUNTER)]
    return problems + [f'{name}: unexpected, {_describe(weights[name])}' for name in unexpected]


def _problem(tensor: Tensor, wanted: Tensor) -> str | None:
    """What is wrong with a tensor, or None."""
    if _describe(tensor) != _describe(wanted):
        return f'{_describe(tensor)}, expected {_describe(wanted)}'
    bad = tensor.numel() - int(torch.isfinite(tensor).sum())
    return f'{bad} of {tensor.numel()} values are NaN or infinite' if bad else None


def _describe(tensor: Tensor) -> str:
    """Shape and type in words, such as ``64x3x7x7 float32``."""
    shape = 'x'.join(map(str, tensor.shape)) or 'scalar'
    layout = '' if tensor.layout == torch.strided else f' {tensor.layout}'.replace('torch.', '')
    return f'{shape} {str(tensor.dtype).removeprefix("torch.")}{layout}'


def convert_weights(weights: Mapping[str, Tensor], variant: str) -> Checkpoint:
    """A checkpoint of ours with published weights.

    Args:
        weights: Tensors by published name, see :func:`read_weight_file`.
        variant: One of ``VARIANTS``.

    Raises:
        OfficialWeightsError: If a tensor is missing, unexpected, or of another shape or type, or
            holds a value that is no number; names each.
    """
    recipe = variant_recipe(variant)
    expected = expected_tensors(recipe)
    problems = find_problems(weights, expected)
    if problems:
        raise OfficialWeightsError(
            f'the file is not {variant}: {len(problems)} tensors do not fit'
            f'{_suggestion(weights, variant)}',
            tuple(problems),
        )
    converted = {}
    for name, tensor in expected.items():
        if name.endswith(COUNTER):
            converted[name] = torch.zeros((), dtype=tensor.dtype)
        else:  # a copy, so that no view drags a larger tensor along into the file
            source = weights[official_name(name)]
            converted[name] = source.clone(memory_format=torch.contiguous_format)
    return Checkpoint.from_weights(recipe, converted)


def _suggestion(weights: Mapping[str, Tensor], tried: str) -> str:
    """Names the variant whose names, shapes and types these are, if there is one."""
    given = _forms(weights)
    for variant in VARIANTS:
        expected = expected_tensors(variant_recipe(variant))
        wanted = _forms({official_name(name): tensor for name, tensor in expected.items()})
        if variant != tried and given == wanted:
            return f'; they fit --variant {variant}'
    return ''


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Shape and type of each tensor that counts."""
    return {n: _describe(tensor) for n, tensor in tensors.items() if not n.endswith(COUNTER)}


def import_official(weights: Path, variant: str, output: Path) -> Checkpoint:
    """Convert a file and write the result, which replaces an older one only when complete.

    Raises:
        OfficialWeightsError: If the tensors do not fit, or the file is to be replaced by its copy.
        InitialWeightsError: If the file is missing or holds anything but tensors.
        OSError: If the output cannot be written.
    """
    if output.exists() and weights.exists() and output.samefile(weights):
        raise OfficialWeightsError(f'--output {output} is the file to read; give another name')
    checkpoint = convert_weights(read_weight_file(weights), variant)
    output.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(checkpoint, output)
    return checkpoint


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the import command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.import_official', description=__doc__
    )
    parser.add_argument('--weights', type=Path, required=True, help='published .pth file')
    parser.add_argument('--variant', choices=VARIANTS, required=True, help='which model it is')
    parser.add_argument('--output', type=Path, required=True, help='.pt file to write')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        checkpoint = import_official(options.weights, options.variant, options.output)
    except (UpsnetError, OSError) as error:
        LOGGER.error('import refused: %s', error)
        return 1
    count = sum(
        tensor.numel()
        for name, tensor in checkpoint.model.items()
        if not name.endswith((COUNTER, 'running_mean', 'running_var'))
    )
    LOGGER.info('written to %s: %s, %s parameters', options.output, options.variant, f'{count:,}')
    LOGGER.warning('warning: %s', LICENCE_NOTE)
    return 0


if __name__ == '__main__':
    sys.exit(interruptible(main))
