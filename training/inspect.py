# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Look inside a model: every stage of one image, as numbers and as pictures.

``python -m training.inspect --checkpoint FILE --image IMAGE --output FILE.npz`` writes the arrays
below, for ``numpy.load``, and a picture of every stage in the folder ``FILE_pictures`` beside it.
The image is resized as the published models are tested. Two such files show where two models, or
two implementations, part ways.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import logging
import sys
import time
from pathlib import Path

from training.build import load_trained_model
from training.checkpoint import Checkpoint, load_checkpoint
from training.data.image_files import read_image
from training.inference.predictor import Predictor
from training.inspection import arrays
from training.inspection.archive import write_archive
from training.inspection.pictures import Pictures
from training.inspection.steps import inspect_image
from training.interruption import interruptible
from upsnet_ros.core.errors import ImageError, ModelError, ParameterError, UpsnetError

LOGGER = logging.getLogger(__name__)

SHORTEST = 32  # pixels; the feature pyramid has nothing to look at below


def inspect_checkpoint(
    checkpoint: Checkpoint,
    image: Path,
    output: Path,
    *,
    short_side: int | None = None,
    max_long_side: int | None = None,
) -> Path:
    """Run one image and write its arrays and pictures.

    Args:
        checkpoint: Of a UPSNet; its averaged weights are used where there are some.
        image: Any image file that OpenCV reads.
        output: File of the arrays, ending with ``.npz``.
        short_side: Short side of the resized image in pixels; None: the recipe's.
        max_long_side: Its longest long side in pixels; None: the recipe's.

    Returns:
        The folder of the pictures.

    Raises:
        ModelError: If the network is no UPSNet, or answers with NaN or infinity.
        ImageError: If the image cannot be read.
        ParameterError: If a side is too short, or the output has another ending.
        OSError: If a file cannot be written.
    """
    recipe = checkpoint.recipe
    if recipe.model.network != 'upsnet':
        raise ModelError(
            f"the checkpoint's network is {recipe.model.network!r}, expected 'upsnet': the others "
            'have no panoptic head to look into; measure them with "python -m training.evaluate"'
        )
    short_side = recipe.data.test_short_side if short_side is None else short_side
    longest = recipe.data.test_max_long_side if max_long_side is None else max_long_side
    _check(short_side, longest, output)
    if not image.is_file():
        raise ImageError(f'no image at {image}')
    predictor = Predictor(
        load_trained_model(checkpoint), short_side=short_side, max_long_side=longest
    )
    labels = recipe.data.label_set
    stages = inspect_image(
        predictor, read_image(image), label_set=labels, head=recipe.panoptic_head
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_archive(output, stages)
    pictures = output.with_name(f'{output.stem}_pictures')
    Pictures(stages, labels).draw(pictures)
    return pictures


def _check(short_side: int, longest: int, output: Path) -> None:
    """Raise ParameterError for impossible options, before anything is computed."""
    if short_side < SHORTEST or longest < short_side:
        raise ParameterError(
            f'short side {short_side} and longest side {longest}, expected at least {SHORTEST} '
            'pixels and the longest at least the short one; see --short-side and --max-size'
        )
    if output.suffix != '.npz':
        raise ParameterError(f'--output is {output}, expected a name that ends with .npz')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the inspection command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.inspect',
        description=__doc__,
        epilog=f'arrays in the file\n\n{arrays.__doc__}\n{arrays.describe_arrays()}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--checkpoint', type=Path, required=True, help='.pt file of a UPSNet')
    parser.add_argument('--image', type=Path, required=True, help='image file, any size')
    parser.add_argument('--short-side', type=int, help="pixels (default: the recipe's)")
    parser.add_argument('--max-size', type=int, help="longest side (default: the recipe's)")
    parser.add_argument('--output', type=Path, required=True, help='.npz file to write')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    started = time.perf_counter()
    try:
        pictures = inspect_checkpoint(
            load_checkpoint(options.checkpoint),
            options.image,
            options.output,
            short_side=options.short_side,
            max_long_side=options.max_size,
        )
    except (UpsnetError, OSError) as error:
        LOGGER.error('inspection stopped: %s', error)
        return 1
    seconds = time.perf_counter() - started
    LOGGER.info('written to %s and %s/ in %.1f s', options.output, pictures, seconds)
    return 0


if __name__ == '__main__':
    sys.exit(interruptible(main))
