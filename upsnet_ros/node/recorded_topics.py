# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of the node are recorded, and the definitions of their messages."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from sensor_msgs.msg import Image

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.msg import FrameTiming, PanopticClassInfo, PanopticInstanceArray

PACKAGE = 'upsnet_ros'
NODE = 'perception_node'


class RecordingError(UpsnetError):
    """A recording that cannot be made."""


@dataclass(frozen=True)
class RecordedTopic:
    """One topic to record: `kind` is what its messages are to the evaluation."""

    name: str
    message_class: type
    message_type: str
    kind: str
    latched: bool = False


def topics_of_camera(camera: str, *, node: str = NODE) -> list[RecordedTopic]:
    """The results of one camera that an evaluation needs, and the time that the node took."""
    bare = camera.strip('/')
    prefix = f'/{bare}/panoptic'
    return [
        RecordedTopic(f'{prefix}/image', Image, 'sensor_msgs/msg/Image', 'label'),
        RecordedTopic(
            f'{prefix}/instances',
            PanopticInstanceArray,
            f'{PACKAGE}/msg/PanopticInstanceArray',
            'instances',
        ),
        RecordedTopic(
            f'{prefix}/class_info',
            PanopticClassInfo,
            f'{PACKAGE}/msg/PanopticClassInfo',
            'class_info',
            latched=True,
        ),
        RecordedTopic(
            f'/{node.strip("/")}/debug/{bare}/timing',
            FrameTiming,
            f'{PACKAGE}/msg/FrameTiming',
            'timing',
        ),
    ]


def diagnostics_topic() -> RecordedTopic:
    """The node's own report on itself."""
    return RecordedTopic(
        '/diagnostics', DiagnosticArray, 'diagnostic_msgs/msg/DiagnosticArray', 'diagnostics'
    )


def status_prefix(node: str = NODE) -> str:
    """What the names of the node's own statuses on /diagnostics begin with; no slash first."""
    return f'{node.strip("/")}: '


def message_folder() -> Path:
    """The folder of this package's .msg files: in the source tree or in an installed share."""
    candidates = [Path(__file__).resolve().parents[2] / 'msg']
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        candidates.append(Path(prefix) / 'share' / PACKAGE / 'msg')
    for folder in candidates:
        if (folder / 'PanopticInstance.msg').is_file():
            return folder
    raise RecordingError(
        f'PanopticInstance.msg was found in none of {", ".join(map(str, candidates))}. '
        'Source the workspace in which this package was built.'
    )


def typestore_with_our_messages() -> Typestore:
    """Message definitions for the bag: the distribution's and this package's."""
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions = {}
    for path in sorted(message_folder().glob('*.msg')):
        definitions.update(get_types_from_msg(path.read_text(), f'{PACKAGE}/msg/{path.stem}'))
    store.register(definitions)
    return store
