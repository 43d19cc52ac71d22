# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model: ``python -m training.evaluate --model M --data DIR --output OUT``.

The model is a training checkpoint (``.pt``), an exported model (``.onnx`` beside its ``.json``) or
a TensorRT engine (``.engine``, in the runtime's backend).
A checkpoint is tested as the published models are: images resized by their short side, padded to
multiples of 32, at the size its recipe says; ``--fixed-input`` tests it on the exported network's
one size instead. ``--predictions`` measures labels that any method wrote in COCO panoptic format.

OUT receives metrics.json, frames.json, report.md, report.html, the worst frames as pictures, and
the predictions in the formats of the official tools; of a split without truth, the predictions.
Begun again after an interrupt, the command goes on where it was. Started by torchrun, the
processes share the frames.

The rows of the paper's tables (all of them: docs/paper_results.md):
  UPSNet-M          --model upsnet.pt --multi-scale --flip
  UPSNet-CP         --model upsnet.pt --head heuristic
  UPSNet-C          --model trained_without_panoptic_loss.pt --head heuristic
  MR-CNN-PSP        --model mask_rcnn.pt --semantic-model pspnet.pt
  table 6, oracles  --oracle boxes; --oracle boxes --oracle classes; --oracle segmentation
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import logging
import shlex
import sys
from pathlib import Path
from typing import Any

from training.data.formats import READERS, add_place_options, guess_format, open_data_set
from training.data.frames import FrameList, FrameReader, Places
from training.distributed import Processes, joined_processes
from training.evaluation.evaluation_run import EvaluationRun, RunOptions
from training.evaluation.frame_loop import BadFrame
from training.inference.options import HEADS, InferenceOptions
from training.inference.oracles import ORACLES
from training.interruption import interruptible
from training.label_sets import find_label_set
from training.labellers import EXPORTED, Subject, open_model, open_predictions
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import INSTANCE_CLASSES

LOGGER = logging.getLogger(__name__)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the evaluation command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.evaluate',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group('what is measured')
    one = what.add_mutually_exclusive_group(required=True)
    one.add_argument(
        '--model', type=Path, help='checkpoint (.pt), exported model (.onnx) or .engine'
    )
    one.add_argument(
        '--predictions', type=Path, metavar='JSON', help='labels in COCO panoptic format'
    )
    what.add_argument(
        '--semantic-model', type=Path, help='second checkpoint, for the semantic logits'
    )
    _add_data(parser.add_argument_group('on which data'))
    _add_inference(parser.add_argument_group('how the model is tested'))
    _add_run(parser.add_argument_group('how the evaluation runs'))
    return parser.parse_args(arguments)


def _add_data(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add('--data', type=Path, required=True, help='folder of the data set')
    add('--split', help="part of the data set (default: the model's validation split, or val)")
    add_place_options(add)
    add(
        '--label-set',
        metavar='NAME|YAML',
        help='classes of --predictions: cityscapes, coco, driving or a YAML file (default: those '
        'of the format); a model has its own, and is refused where they are others',
    )
    add('--limit', type=int, metavar='N', help='evaluate only the first N frames')
    add('--skip-bad', action='store_true', help='go on after a frame that cannot be used')


def _add_inference(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
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
    add(
        '--instances',
        type=Path,
        metavar='JSON',
        help="COCO's instances_*.json as truth of average precision (default: the objects of the "
        'panoptic truth)',
    )
    add('--no-ap', action='store_true', help='no average precision of the instance head')
    add('--device', choices=('auto', 'cpu', 'cuda'), default='auto')


def _add_run(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add('--output', type=Path, required=True, help='folder of the results')
    add('--no-predictions', action='store_true', help='write no files for the official tools')
    add('--worst', type=int, default=6, metavar='N', help='worst frames to draw (default: 6)')
    add(
        '--workers',
        type=int,
        default=1,
        metavar='N',
        help='threads that read and threads that write beside the network; 0 disturbs the '
        'measured run time least (default: 1)',
    )
    add('--restart', action='store_true', help='throw away what an earlier run left in OUTPUT')


def read_options(values: argparse.Namespace) -> InferenceOptions:
    """The options of a command line.

    Raises:
        ParameterError: If they contradict each other.
    """
    exported = values.model is not None and values.model.suffix in EXPORTED
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
        fixed_input=values.fixed_input or exported,
    )


def open_subject(values: argparse.Namespace, processes: Processes) -> tuple[Subject, dict]:
    """What a command line measures, and the options that decide its answers.

    Raises:
        UpsnetError: If a file cannot be used, or options contradict each other.
    """
    for name, value, least in (
        ('--limit', values.limit, 1),
        ('--worst', values.worst, 0),
        ('--workers', values.workers, 0),
    ):
        if value is not None and value < least:
            raise ParameterError(f'{name} is {value}, expected at least {least}')
    options = read_options(values)
    if values.predictions is not None:
        if options != InferenceOptions() or values.semantic_model:
            raise ParameterError(
                '--predictions are labels already: expected no option of how a model is tested'
            )
        name = values.label_set or READERS[_layout(values, None)].default_label_set
        return open_predictions(values.predictions, find_label_set(name)), {}
    subject = open_model(
        values.model,
        values.semantic_model,
        options,
        processes.device,
        find_detections=not values.no_ap,
    )
    if values.label_set is not None:
        _refuse_other_classes(subject.label_set, find_label_set(values.label_set))
    return subject, options.to_dict()


def _layout(values: argparse.Namespace, usual: str | None) -> str:
    return guess_format(values.data, usual=usual) if values.format == 'auto' else values.format


def _refuse_other_classes(own: LabelSet, wanted: LabelSet) -> None:
    mine, theirs = ({(c.dataset_id, c.name) for c in labels.classes} for labels in (own, wanted))
    if mine != theirs:
        raise ParameterError(
            f"--label-set is '{wanted.name}', but the model has the classes of '{own.name}': "
            f'{len(mine - theirs)} of its own, such as {min(mine - theirs, default=None)}, and '
            f'lacks {len(theirs - mine)}; expected a model of these classes, or no --label-set'
        )


def list_frames(reader: FrameReader, split: str, values: argparse.Namespace) -> FrameList:
    """The frames to label, with what hints at the wrong label set.

    Where a split has images alone, these, as long as what is asked for needs no truth.

    Raises:
        DataError: If there is no such split, or it has wrong entries and they are not skipped.
        ParameterError: If an option needs truth and there is none.
    """
    if not reader.has_truth(split) and (frames := reader.frames_without_truth(split)):
        useless = {
            '--predictions': values.predictions,
            '--no-predictions': values.no_predictions,
            '--oracle': values.oracle,
        }
        given = [name for name, value in useless.items() if value]
        if given:
            raise ParameterError(
                f"the split '{split}' of {values.data} has {len(frames)} images and no truth, so "
                f'{" and ".join(given)} cannot be had; expected {reader.expected_split}, or a '
                'model whose predictions are written'
            )
        return FrameList(frames, [])
    listed = reader.listing(split)
    if not values.skip_bad:
        listed.sound_frames()
    return listed


def evaluate(values: argparse.Namespace, processes: Processes) -> EvaluationRun:
    """Evaluate what a command line says, over the frames of all processes.

    Raises:
        UpsnetError: If anything cannot be used.
    """
    subject, options = open_subject(values, processes)
    trained = subject.data
    layout = _layout(values, trained.get('format'))
    if layout != trained.get('format'):
        trained = {}  # its folders are of another layout
    split = values.split or trained.get('validation_split', 'val')
    places = Places(
        values.images or trained.get('images', ''), values.truth or trained.get('truth', '')
    )
    reader = open_data_set(values.data, layout, subject.label_set, places)
    listed = list_frames(reader, split, values)
    frames = listed.frames[: values.limit]
    settings: dict[str, Any] = {
        'model': subject.files,
        'data': {
            'root': str(values.data.resolve()),
            'format': layout,
            'split': split,
            'label_set': subject.label_set.name,
        },
        'options': {'split': split, **options, **subject.head},
    }
    run_options = RunOptions(
        output=values.output,
        skip_bad=values.skip_bad,
        workers=values.workers,
        write_predictions=not values.no_predictions,
        worst=values.worst,
        restart=values.restart,
        annotations=values.instances,
    )
    run = EvaluationRun(
        subject.answer,
        frames,
        reader,
        processes,
        settings=settings,
        detection_kind=subject.detection_kind,
        options=run_options,
        left_out=[BadFrame(entry.name, '; '.join(entry.problems)) for entry in listed.broken],
        remarks=listed.remarks,
    )
    run.measure()
    return run


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    values = parse_arguments(arguments)
    try:
        with joined_processes(values.device) as processes:
            run = evaluate(values, processes)
            if processes.is_first:
                given = sys.argv[1:] if arguments is None else arguments
                LOGGER.info(
                    run.report(command=shlex.join(['python', '-m', 'training.evaluate', *given]))
                )
    except (UpsnetError, OSError) as error:
        LOGGER.error('evaluation stopped: %s', error)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(interruptible(main, 'interrupted; the same command goes on from here'))
