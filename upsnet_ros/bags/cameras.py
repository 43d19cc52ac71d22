# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the images of a camera, its ground truth, and what is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from upsnet_ros.bags.definitions import IMAGE_TYPES, LABEL_TYPES, VIDEO_TYPES
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import BagError, EvaluationError, ImageError
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView, camera_views
from upsnet_ros.images.messages import describe_encoding

# What image_transport puts behind the name of a topic, by how images are packed.
TRANSPORTS = re.compile('/(compressed|ffmpeg|foxglove)$')
IMAGE_NAME = '/image_raw'
# Names that drivers and image_proc give to images of one camera, the best one first.
IMAGE_NAMES = ('image_raw', 'image_color', 'image_rect_color', 'image_rect', 'image', 'image_mono')
TRUTH_NAME = '/ground_truth/panoptic/image'
NO_TRUTH = 'none'
# Images that are no camera's: what this package and others publish beside them, by name or, of
# what is no colour, by encoding.
OTHER_IMAGES = re.compile(
    'ground_truth|panoptic|semantic|overlay|depth|disparity|mask', re.IGNORECASE
)
OTHER_ENCODINGS = re.compile('(16UC[12]$|(16S|32[SF]|64F)C)|.*compressedDepth')
WHOLE_IMAGE, UPRIGHT = '', '0'


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
        regions: what is looked at of the images, see `find_views`.
        rotations: how they are turned, likewise.

    Topics of images that are left out are told of with `bag.note`, unless cameras were named.

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
    cameras = tuple(
        CameraTopics(name, topic, truth, views[name])
        for (name, topic), truth in zip(found.items(), _truths_of(bag, found, truths), strict=True)
    )
    if not names:
        _note_others(bag, cameras)
    return cameras


def camera_name(topic: str) -> str:
    """The name of the camera whose images are on a topic: what stands before `/image_raw`."""
    bare = _bare(topic)
    return bare.removesuffix(IMAGE_NAME).strip('/') or bare.strip('/')


def played_topic(topic: str, message_type: str) -> str:
    """Where the player sends what a bag has on a topic: video as compressed images."""
    return f'{_bare(topic)}/compressed' if message_type in VIDEO_TYPES else topic


def _bare(topic: str) -> str:
    return TRANSPORTS.sub('', topic)


def _namespace(topic: str) -> str:
    """What the images of one camera share: the name without that of the kind of image."""
    above, _, last = _bare(topic).rpartition('/')
    return above if last.startswith('image') else _bare(topic)


def _rank(topic: str) -> tuple[int, str]:
    """The best images of a camera first, raw before compressed ones."""
    last = _bare(topic).rpartition('/')[2]
    return (IMAGE_NAMES.index(last) if last in IMAGE_NAMES else len(IMAGE_NAMES), topic)


def _image_topics(bag: BagReader) -> list[str]:
    topics = [topic for topic, kind in bag.topics.items() if kind in IMAGE_TYPES]
    return sorted(topics, key=_rank)


def _told(topics: Iterable[str]) -> str:
    return ', '.join(sorted(topics)) or 'none'


def _images_of(bag: BagReader, name: str) -> str:
    if name.startswith('/') and name in bag.topics:
        if bag.topics[name] not in IMAGE_TYPES:
            raise BagError(
                f'{name} of {bag.path} has messages of {bag.topics[name]}; expected '
                f'{" or ".join(IMAGE_TYPES)}. Image topics are: {_told(_image_topics(bag))}.'
            )
        return name
    wanted = f'/{name.strip("/")}'
    found = [t for t in _image_topics(bag) if wanted in (_bare(t), _namespace(t))]
    if not found:
        raise BagError(
            f'{bag.path} has no images of camera {name!r} (looked for {wanted}{IMAGE_NAME}, '
            f'{wanted} and the like, raw or compressed); its image topics are: '
            f'{_told(_image_topics(bag))}.'
        )
    return _fullest(bag, found)


def _fullest(bag: BagReader, topics: Sequence[str]) -> str:
    """The first of some topics that has messages, or the first where none has."""
    return next((topic for topic in topics if bag.count(topic)), topics[0])


def _all_images(bag: BagReader) -> list[str]:
    """The best images of each camera."""
    by_camera: dict[str, str] = {}
    for topic in _image_topics(bag):
        if not bag.count(topic) or OTHER_IMAGES.search(topic):
            continue
        if _namespace(topic) not in by_camera and not _is_of_no_camera(bag, topic):
            by_camera[_namespace(topic)] = topic
    if not by_camera:
        known = (f'{topic} ({kind})' for topic, kind in bag.topics.items())
        raise BagError(
            f'{bag.path} has no camera images ({" or ".join(IMAGE_TYPES)}); its topics are: '
            f'{_told(known)}. Name the image topics with --cameras.'
        )
    return sorted(by_camera.values())


def _is_of_no_camera(bag: BagReader, topic: str) -> bool:
    """Whether its first image says that it is depth or the like."""
    for message in bag.messages([topic]):
        try:
            image = bag.decode(topic, message.data)
        except ImageError:  # told of each such image later
            break
        return OTHER_ENCODINGS.match(describe_encoding(image)) is not None
    return False


def _note_others(bag: BagReader, cameras: Sequence[CameraTopics]) -> None:
    seen = {_bare(camera.images) for camera in cameras} | {camera.truth for camera in cameras}
    others = [t for t in _image_topics(bag) if bag.count(t) and not {t, _bare(t)} & seen]
    if others:
        bag.note(f'image topics that were left out: {_told(others)}; --cameras may name them')


def _truths_of(
    bag: BagReader, images: Mapping[str, str], given: Sequence[str]
) -> list[str | None]:
    """The topic of the ground truth of each camera, given the topic of its images."""
    names = list(images)
    if not given:
        usual = [
            (f'/{name}{TRUTH_NAME}', f'{_namespace(topic)}{TRUTH_NAME}')
            for name, topic in images.items()
        ]
        return [next((t for t in topics if t in bag.topics), None) for topics in usual]
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
    if topic is not None and kind not in LABEL_TYPES:
        held = f'has messages of {kind}' if kind else 'is not there'
        raise BagError(
            f'the ground truth {topic} of {bag.path} {held}; expected label images, sensor_msgs/'
            f'msg/Image or PNGs in CompressedImage. Image topics are: '
            f'{_told(_image_topics(bag))}.'
        )


def find_views(
    names: Sequence[str], *, regions: Sequence[str] = (), rotations: Sequence[str] = ()
) -> dict[str, ImageView]:
    """The view of each camera by its name.

    Args:
        names: all cameras.
        regions: `x,y,width,height` in pixels for all cameras, or `CAMERA=x,y,width,height` for
            one; a camera without a region is looked at as a whole.
        rotations: degrees clockwise, likewise; a camera without one is upright.

    Raises:
        EvaluationError: a value is of no camera, or two are of the same.
        ParameterError: there is no such region or rotation.
    """
    region_texts = _for_each(names, '--regions-of-interest', regions, otherwise=WHOLE_IMAGE)
    rotation_texts = _for_each(names, '--rotations', rotations, otherwise=UPRIGHT)
    return camera_views(names, region_texts, [_degrees(text) for text in rotation_texts])


def _for_each(
    names: Sequence[str], option: str, given: Sequence[str], *, otherwise: str
) -> list[str]:
    """The value of each camera: its own, else the one for all, else the usual one."""
    values: dict[str, str] = {}
    for entry in given:
        camera, equals, value = entry.rpartition('=')
        if camera in values or (equals and camera not in names):
            raise EvaluationError(
                f'{option} {" ".join(given)} does not fit the cameras {", ".join(names)}; '
                'expected one value for all, or CAMERA=VALUE once for each'
            )
        values[camera] = value
    return [values.get(name, values.get('', otherwise)) for name in names]


def _degrees(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise EvaluationError(
            f'--rotations has {text!r}, expected degrees clockwise, or CAMERA=DEGREES'
        ) from error
