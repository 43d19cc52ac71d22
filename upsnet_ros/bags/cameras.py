# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the images of a camera, and which are its ground truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from upsnet_ros.bags.definitions import IMAGE_TYPES
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.views import find_views
from upsnet_ros.core.errors import BagError
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView

COMPRESSED = '/compressed'
IMAGE_NAME = '/image_raw'
TRUTH_NAME = '/ground_truth/panoptic/image'
NO_TRUTH = 'none'
# Images that are no camera's: what this package and others publish beside them.
OTHER_IMAGES = re.compile('ground_truth|panoptic|semantic|overlay|depth|disparity|mask')


@dataclass(frozen=True)
class CameraTopics:
    """A camera: its name, its images, its ground truth where there is one, what is looked at."""

    name: str
    images: str
    truth: str | None
    view: ImageView = WHOLE_UPRIGHT


def find_cameras(
    bag: BagReader,
    *,
    names: Sequence[str] = (),
    truths: Sequence[str] = (),
    regions: Sequence[str] = (),
    rotations: Sequence[str] = (),
) -> tuple[CameraTopics, ...]:
    """The cameras of a bag.

    Args:
        bag: the opened bag.
        names: cameras by name (`front` for `/front/image_raw`) or by image topic; all that are
            there when empty.
        truths: topics of ground truth: `CAMERA=TOPIC`, or one topic, in which `{camera}` stands
            for the camera's name; `none` for no ground truth. When empty, each camera's
            `ground_truth/panoptic/image` where there is one.
        regions: what is looked at of the images, see `replay_views.find_views`.
        rotations: how they are turned, likewise.

    Raises:
        BagError: there are no images, or a topic is missing or of another type.
        EvaluationError, ParameterError: a region or rotation is of no camera, or impossible.
    """
    images = [_images_of(bag, name) for name in names] if names else _all_images(bag)
    found = {camera_name(topic): topic for topic in images}
    if len(found) < len(images):
        raise BagError(
            f'{", ".join(images)} are topics of the same camera; name one topic for each camera'
        )
    views = find_views(list(found), regions=regions, rotations=rotations)
    return tuple(
        CameraTopics(name, topic, truth, views[name])
        for (name, topic), truth in zip(
            found.items(), _truths_of(bag, list(found), truths), strict=True
        )
    )


def camera_name(topic: str) -> str:
    """The name of the camera whose images are on a topic: what stands before `/image_raw`."""
    bare = topic.removesuffix(COMPRESSED)
    return bare.removesuffix(IMAGE_NAME).strip('/') or bare.strip('/')


def _image_topics(bag: BagReader) -> list[str]:
    return sorted(topic for topic, kind in bag.topics.items() if kind in IMAGE_TYPES)


def _told(topics: Sequence[str]) -> str:
    return ', '.join(topics) or 'none'


def _images_of(bag: BagReader, name: str) -> str:
    if name.startswith('/') and name in bag.topics:
        if bag.topics[name] not in IMAGE_TYPES:
            raise BagError(
                f'{name} of {bag.path} has messages of {bag.topics[name]}; expected '
                f'{" or ".join(IMAGE_TYPES)}. Image topics are: {_told(_image_topics(bag))}.'
            )
        return name
    bare = f'/{name.strip("/")}'
    wanted = [f'{bare}{IMAGE_NAME}', f'{bare}{IMAGE_NAME}{COMPRESSED}', bare, bare + COMPRESSED]
    found = [topic for topic in wanted if bag.topics.get(topic) in IMAGE_TYPES]
    if not found:
        raise BagError(
            f'{bag.path} has no images of camera {name!r} (looked for {_told(wanted)}); its image '
            f'topics are: {_told(_image_topics(bag))}.'
        )
    return _fullest(bag, found)


def _fullest(bag: BagReader, topics: Sequence[str]) -> str:
    """The first of some topics that has messages, or the first where none has."""
    return next((topic for topic in topics if bag.count(topic)), topics[0])


def _all_images(bag: BagReader) -> list[str]:
    topics = [t for t in _image_topics(bag) if not OTHER_IMAGES.search(t) and bag.count(t)]
    usual = [t for t in topics if t.removesuffix(COMPRESSED).endswith(IMAGE_NAME)]
    by_camera: dict[str, list[str]] = {}
    for topic in usual or topics:  # sorted: raw comes before compressed
        by_camera.setdefault(camera_name(topic), []).append(topic)
    if not by_camera:
        known = sorted(f'{topic} ({kind})' for topic, kind in bag.topics.items())
        raise BagError(
            f'{bag.path} has no camera images ({" or ".join(IMAGE_TYPES)}); its topics are: '
            f'{_told(known)}. Name the image topics with --cameras.'
        )
    return [found[0] for found in by_camera.values()]


def _truths_of(bag: BagReader, names: list[str], given: Sequence[str]) -> list[str | None]:
    """The topic of the ground truth of each camera."""
    if not given:
        usual = [f'/{name}{TRUTH_NAME}' for name in names]
        return [topic if topic in bag.topics else None for topic in usual]
    if list(given) == [NO_TRUTH]:
        return [None] * len(names)
    pairs = dict(entry.split('=', 1) for entry in given if '=' in entry)
    plain = [entry for entry in given if '=' not in entry]
    unknown = sorted(set(pairs) - set(names))
    is_unclear = len(plain) > 1 or (plain and '{camera}' not in plain[0] and len(names) > 1)
    if unknown or is_unclear:
        raise BagError(
            f'--ground-truth {" ".join(given)} does not fit the cameras {_told(names)}; expected '
            'CAMERA=TOPIC for each, or one topic with {camera} in it'
        )
    topics = [
        pairs.get(name, plain[0].replace('{camera}', name) if plain else None) for name in names
    ]
    for topic in topics:
        _check_truth(bag, topic)
    return topics


def _check_truth(bag: BagReader, topic: str | None) -> None:
    kind = None if topic is None else bag.topics.get(topic)
    if topic is not None and kind not in IMAGE_TYPES:
        held = f'has messages of {kind}' if kind else 'is not there'
        raise BagError(
            f'the ground truth {topic} of {bag.path} {held}; expected label images, sensor_msgs/'
            f'msg/Image or PNGs in CompressedImage. Image topics are: '
            f'{_told(_image_topics(bag))}.'
        )
