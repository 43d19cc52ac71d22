# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a split, although the annotations of some are wrong."""

from dataclasses import dataclass
from pathlib import Path

from training.data.coco_panoptic import CocoPanopticReader
from training.data.errors import BrokenFrame
from training.data.folder_layout import (
    TRUTH_ENDING,
    image_of_truth,
    lost_truth,
    unpaired_files,
)
from training.data.frames import Frame, FrameReader
from training.data.panoptic_json import read_category_names
from upsnet_ros.core.labels import LabelSet

NAMES_TOLD = 5


@dataclass(frozen=True)
class FrameList:
    """What names and annotations say of a split, before any picture is read.

    Attributes:
        frames: Those whose annotations are sound; their files need not be.
        broken: The others, and truth whose image is missing.
        unpaired: See :func:`training.data.folder_layout.unpaired_files`.
        remarks: What is allowed but hints at the wrong label set, one line each.
    """

    frames: list[Frame]
    broken: list[BrokenFrame]
    unpaired: dict[str, list[str]]
    remarks: list[str]


def list_frames(reader: FrameReader, root: Path, layout: str, split: str) -> FrameList:
    """Look at the names and annotations of a split.

    Args:
        reader: Of the data set.
        root: Its folder.
        layout: Its format.
        split: Its name; COCO's with or without the year.

    Raises:
        DataError: If the split is not there, is empty, or its annotations are malformed as a
            whole.
    """
    broken: list[BrokenFrame] = []
    remarks: list[str] = []
    if isinstance(reader, CocoPanopticReader):
        split = reader.find_split(split)
        path = root / 'annotations' / f'panoptic_{split}.json'
        frames = reader.frames(split, broken)
        remarks = category_remarks(read_category_names(path), reader.label_set)
    else:
        frames = reader.frames(split)
        broken = _frames_without_image(root, split)
    unpaired = unpaired_files(root, layout, split, frames, [entry.name for entry in broken])
    return FrameList(frames, broken, unpaired, remarks)


def _frames_without_image(root: Path, split: str) -> list[BrokenFrame]:
    broken = []
    for truth in lost_truth(root, split):
        image = image_of_truth(root, split, truth)
        problem = f'{image}: missing, but its truth {truth} is there; get the image again'
        broken.append(BrokenFrame(truth.name.removesuffix(TRUTH_ENDING), (problem,)))
    return broken


def category_remarks(names: dict[object, object], label_set: LabelSet) -> list[str]:
    """Where the categories of a JSON file and a label set disagree, one line a kind.

    Args:
        names: Name of each category id of the file.
        label_set: Classes; their data-set ids are category ids.
    """
    known = {entry.dataset_id: entry.name for entry in label_set.classes}
    other = [
        f'{key} is {names[key]!r} in the file but {name!r} in the label set'
        for key, name in known.items()
        if key in names and names[key] != name
    ]
    void = [f'{key} {name!r}' for key, name in names.items() if key not in known]
    lost = [f'{key} {name!r}' for key, name in known.items() if key not in names]
    kinds = (
        ("categories with another name than the label set's; is it the right one?", other),
        ('categories that the label set lacks; their pixels are void', void),
        ('classes of the label set that are no category of the file', lost),
    )
    return [f'{kind} ({len(found)}): {_shortened(found)}' for kind, found in kinds if found]


def _shortened(names: list[str]) -> str:
    more = ', ...' if len(names) > NAMES_TOLD else ''
    return ', '.join(names[:NAMES_TOLD]) + more
