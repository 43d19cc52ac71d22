# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: names, defaults, ranges and units, in this one place.

The switches of the outputs come from the table of topics. `python -m upsnet_ros.node.tables`
writes `config/perception.yaml`, for people to edit, and the table of docs/node.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.backends.select import (
    BACKENDS,
    LABELS_ON_CHOICES,
    PRECISIONS,
    REFUSE,
    STALE_ENGINE_CHOICES,
)
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.image_view import camera_views
from upsnet_ros.images.raw import MAX_IMAGE_PIXELS
from upsnet_ros.images.video import pyav
from upsnet_ros.node.topics import TABLE, TRANSPORTS, VIDEO_TRANSPORTS, Output, outputs_by_switch

CAMERA_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')

# The value of a threshold that stands for what the model's manifest says.
MODEL_DEFAULT = -1


@dataclass(frozen=True)
class ParameterRule:
    """What a parameter may be and when it may change.

    Attributes:
        description: meaning, with the unit.
        minimum: least value of a number.
        maximum: greatest value of a number.
        choices: the allowed texts, empty when any text is allowed.
        may_be_model_default: also allows MODEL_DEFAULT, below the minimum.
        change: 'live' at any time, 'unconfigured' only in that state, 'never' after the start.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    may_be_model_default: bool = False
    change: str = 'live'

    def check(self, name: str, value: Any) -> None:
        """Raises ParameterError when a value breaks the rule."""
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter '{name}' is '{value}', expected one of: {', '.join(self.choices)}"
            )
        if self.minimum is None or (self.may_be_model_default and value == MODEL_DEFAULT):
            return
        if not self.minimum <= value <= self.maximum:
            hint = f", or {MODEL_DEFAULT} for the model's own" if self.may_be_model_default else ''
            raise ParameterError(
                f"parameter '{name}' is {value}, expected {self.minimum} to {self.maximum}{hint}"
            )


def parameter(default: Any, description: str, **rule: Any) -> Any:
    """A dataclass field with its rule; lists are copied for each instance."""
    metadata = {'rule': ParameterRule(description, **rule)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _switch(outputs: list[Output]) -> Any:
    text = 'publish ' + ' and '.join(output.name for output in outputs)
    if all(output.package == 'vision_msgs' for output in outputs):
        text += ', where vision_msgs is installed'
    is_table = any(output.made_of == TABLE for output in outputs)
    if is_table:
        text += ' on activation'
    is_on = all(output.is_on for output in outputs)
    return parameter(is_on, text, change='unconfigured' if is_table else 'live')


SWITCHES = {name: _switch(outputs) for name, outputs in outputs_by_switch().items()}
_OutputSwitches: Any = make_dataclass(
    '_OutputSwitches', [(name, bool, switch) for name, switch in SWITCHES.items()], frozen=True
)


@dataclass(frozen=True)
class NodeParameters(_OutputSwitches):
    """All parameters of the node, checked one by one and together.

    Raises:
        ParameterError: a value is impossible; the message names it and says what is expected.
    """

    model_path: str = parameter(
        '',
        'ONNX file or TensorRT engine of the model, with its model.json beside it; empty: the '
        'model that comes with the package',
        change='unconfigured',
    )
    backend: str = parameter(
        AUTOMATIC,
        'inference library; auto: TensorRT for an engine; for an ONNX file OpenVINO where it is '
        'installed, else ONNX Runtime',
        choices=BACKENDS,
        change='unconfigured',
    )
    device: str = parameter(
        AUTOMATIC,
        'where the network runs; auto: the GPU for an engine, else the CPU; OpenVINO: cpu, or gpu '
        '(gpu.1, ...) or npu of Intel; ONNX Runtime: cpu, or cuda with its GPU build',
        change='unconfigured',
    )
    precision: str = parameter(
        AUTOMATIC,
        'of the products of the network; auto: what the device is made for, in OpenVINO bf16 '
        'where the processor multiplies it; coordinates and scores are fp32 in each',
        choices=PRECISIONS,
        change='unconfigured',
    )
    cache_folder: str = parameter(
        '',
        "where networks that OpenVINO compiled are kept; empty: upsnet_ros in the user's cache "
        'folder (XDG_CACHE_HOME); one that cannot be written only costs time',
        change='unconfigured',
    )
    num_threads: int = parameter(
        0,
        'threads of one inference on a CPU; 0: one per core that the process may use',
        minimum=0,
        maximum=256,
        change='unconfigured',
    )
    stale_engine: str = parameter(
        REFUSE,
        'an engine that was built for another computer, driver or TensorRT; refuse: do not '
        'configure, and log the command that builds it anew; onnxruntime: run the ONNX file '
        'beside it instead',
        choices=STALE_ENGINE_CHOICES,
        change='unconfigured',
    )
    labels_on: str = parameter(
        AUTOMATIC,
        'where images become labels; auto: the GPU for an engine for one camera whose trial found '
        "the processor's labels there, else the processor",
        choices=LABELS_ON_CHOICES,
        change='unconfigured',
    )
    warm_up_runs: int = parameter(
        2,
        'inferences before the node is configured',
        minimum=0,
        maximum=100,
        change='unconfigured',
    )
    camera_names: list[str] = parameter(
        ['camera'],
        'cameras served by the one model; each name is the prefix of its topics',
        change='unconfigured',
    )
    image_transport: str = parameter(
        'auto',
        'image topic to read: <camera>/image_raw, <camera>/image_raw/compressed, or auto: the '
        'first of the two that delivers; video of <camera>/image_raw/ffmpeg or /foxglove, where '
        'their message packages and PyAV are installed',
        choices=tuple(TRANSPORTS),
        change='unconfigured',
    )
    input_qos: str = parameter(
        'auto',
        'reliability asked of the image publisher, unless qos_overrides says it; auto: '
        'reliable, and best effort as soon as there is a publisher that offers no more',
        choices=('auto', 'sensor_data', 'reliable'),
        change='unconfigured',
    )
    regions_of_interest: list[str] = parameter(
        [''],
        'x,y,width,height in pixels of the input image, outside of which everything is unknown; '
        "'': the whole image; one for each camera, or one for all",
        change='unconfigured',
    )
    rotations: list[int] = parameter(
        [0],
        'degrees clockwise, 0, 90, 180 or 270, that turn the image upright for the model; outputs '
        'stay as the input image; one for each camera, or one for all',
        change='unconfigured',
    )
    max_image_pixels: int = parameter(
        MAX_IMAGE_PIXELS,
        'most pixels of an image; larger ones are refused before they are decoded',
        minimum=1,
        maximum=2**27,
    )
    reduce_jpeg: bool = parameter(
        False,
        'decode a JPEG at a half, quarter or eighth of its width and height where the input of '
        'the network is no larger: faster, with slightly other labels (docs/node.md) of the same '
        'size; the overlay shows the smaller picture enlarged; without effect on a region of '
        'interest',
    )
    process_all: bool = parameter(
        False,
        'process every image in its order instead of the newest, to evaluate recordings: reliable '
        'transmission where publishers offer it, and a queue',
        change='unconfigured',
    )
    process_all_memory: int = parameter(
        1024,
        'MiB of images that may wait where every image is processed; more are lost and reported',
        minimum=1,
        maximum=2**20,
        change='unconfigured',
    )
    batch_tolerance: float = parameter(
        0.02,
        'seconds; images of different cameras whose stamps lie within this are labelled in one '
        'run, where the model was built for several, and waited for as long; 0: one by one',
        minimum=0.0,
        maximum=1.0,
    )
    drop_out_of_order: bool = parameter(
        True,
        'refuse an image whose stamp is not later than that of the last one; a stamp over 1 s '
        'earlier is a new start',
    )
    max_rate: float = parameter(
        0.0,
        'most images per second that are taken of each camera; 0: all',
        minimum=0.0,
        maximum=1000.0,
    )
    score_threshold: float = parameter(
        -1.0,
        "least confidence of an instance, 0 to 1; -1: the model's own",
        minimum=0.0,
        maximum=1.0,
        may_be_model_default=True,
    )
    mask_overlap_threshold: float = parameter(
        -1.0,
        'share of an instance that higher ones may cover before it is dropped, 0 to 1; '
        "-1: the model's own",
        minimum=0.0,
        maximum=1.0,
        may_be_model_default=True,
    )
    stuff_area_limit: int = parameter(
        -1,
        "stuff areas below this many pixels become unknown; -1: the model's own",
        minimum=0,
        maximum=2**31 - 1,
        may_be_model_default=True,
    )
    overlay_alpha: float = parameter(
        0.5,
        'opacity of the colours in <camera>/overlay/image, 0 to 1',
        minimum=0.0,
        maximum=1.0,
    )
    overlay_rate: float = parameter(
        0.0,
        'most images per second in <camera>/overlay/image; 0: one of each image',
        minimum=0.0,
        maximum=1000.0,
    )
    overlay_scale: float = parameter(
        1.0,
        'width and height of <camera>/overlay/image as a share of those of the input image',
        minimum=0.01,
        maximum=1.0,
    )
    stale_after: float = parameter(
        2.0,
        'seconds without an image after which a camera is reported as stale',
        minimum=0.05,
        maximum=3600.0,
    )
    max_processing_time: float = parameter(
        0.0,
        'milliseconds from taking an image to the end of publishing; the diagnostics warn when '
        'the last image or the 95th percentile took longer; 0: no limit',
        minimum=0.0,
        maximum=1e6,
    )
    max_consecutive_delays: int = parameter(
        0,
        'so many images of a camera in a row over max_processing_time are an error in the '
        'diagnostics; 0: never',
        minimum=0,
        maximum=10**6,
    )
    max_consecutive_failures: int = parameter(
        5,
        'so many failures of the model in a row end the process, to be started anew; 0: never',
        minimum=0,
        maximum=10**6,
    )
    watchdog_timeout: float = parameter(
        30.0,
        'seconds that the work on one image may take, or a sign of life of the middleware be '
        'late, before the process ends, to be started anew; 0: for ever',
        minimum=0.0,
        maximum=3600.0,
    )
    max_memory: int = parameter(
        0,
        'MiB; the diagnostics warn when the process holds more; 0: no limit',
        minimum=0,
        maximum=2**20,
    )
    diagnostics_period: float = parameter(
        1.0, 'seconds between two diagnostics', minimum=0.05, maximum=60.0, change='never'
    )
    autostart: bool = parameter(
        True, 'configure and activate without being asked to', change='never'
    )

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        for name, rule in parameter_rules().items():
            rule.check(name, getattr(self, name))
        self._check_camera_names()
        camera_views(self.camera_names, self.regions_of_interest, self.rotations)
        self._check_combinations()

    def _check_camera_names(self) -> None:
        """Refuses names that are no topic prefixes, or would give two cameras the same topics."""
        if not self.camera_names:
            raise ParameterError(
                "parameter 'camera_names' is empty, expected at least one name such as 'camera'"
            )
        for name in self.camera_names:
            if not CAMERA_NAME.fullmatch(name):
                raise ParameterError(
                    f"parameter 'camera_names' has '{name}', expected a relative topic prefix of "
                    "letters, digits, '_' and '/', such as 'front' or 'cameras/front'"
                )
        twice = sorted({name for name in self.camera_names if self.camera_names.count(name) > 1})
        if twice:
            raise ParameterError(
                f"parameter 'camera_names' has {', '.join(twice)} more than once, expected each "
                'camera once'
            )

    def _check_combinations(self) -> None:
        for topic in TRANSPORTS[self.image_transport]:
            if not topic.is_available:
                name = topic.package.replace('_', '-')
                raise ParameterError(
                    f"parameter 'image_transport' is '{self.image_transport}', and the message "
                    f"package '{topic.package}' is not installed, expected auto, raw or "
                    f'compressed; or apt install ros-$ROS_DISTRO-{name} and source ROS anew'
                )
        if self.image_transport in VIDEO_TRANSPORTS and pyav() is None:
            raise ParameterError(
                f"parameter 'image_transport' is '{self.image_transport}', and PyAV, which "
                'decodes its video, is not installed: pip install av, or apt install python3-av'
            )
        if self.process_all and self.input_qos == 'sensor_data':
            raise ParameterError(
                "parameter 'input_qos' is 'sensor_data' while 'process_all' is true, expected "
                'auto or reliable: best-effort transmission loses images'
            )
        if self.process_all and self.max_rate:
            raise ParameterError(
                f"parameter 'max_rate' is {self.max_rate} while 'process_all' is true, expected 0"
            )
        if self.max_consecutive_delays and not self.max_processing_time:
            raise ParameterError(
                f"parameter 'max_consecutive_delays' is {self.max_consecutive_delays} while "
                "'max_processing_time' is 0, expected a limit in milliseconds"
            )


def parameter_rules() -> dict[str, ParameterRule]:
    """The rule of each parameter by name, switches last."""
    entries = sorted(fields(NodeParameters), key=lambda entry: entry.name in SWITCHES)
    return {entry.name: entry.metadata['rule'] for entry in entries}


def parameter_defaults() -> dict[str, Any]:
    """The default of each parameter, by name."""
    parameters = NodeParameters()
    return {name: getattr(parameters, name) for name in parameter_rules()}
