# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: names, defaults, ranges and units, in this one place.

`config/perception.yaml` repeats the defaults for people to edit; a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

from upsnet_ros.core.errors import ParameterError

MODEL_DEFAULT = -1
"""Value of a threshold that stands for what the model's manifest says."""

CAMERA_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')


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


def _parameter(default: Any, description: str, **rule: Any) -> Any:
    """A dataclass field with its rule; lists are copied for each instance."""
    metadata = {'rule': ParameterRule(description, **rule)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class NodeParameters:
    """All parameters of the node, checked one by one and together.

    Raises:
        ParameterError: a value is impossible; the message names it and says what is expected.
    """

    model_path: str = _parameter(
        '',
        'ONNX file or TensorRT engine of the model, with its model.json beside it; empty: the '
        'model that comes with the package',
        change='unconfigured',
    )
    backend: str = _parameter(
        'auto',
        'inference library; auto: TensorRT for an engine, ONNX Runtime for an ONNX file',
        choices=('auto', 'onnxruntime', 'tensorrt'),
        change='unconfigured',
    )
    num_threads: int = _parameter(
        0,
        'threads of one inference on a CPU; 0: one per core that the process may use',
        minimum=0,
        maximum=256,
        change='unconfigured',
    )
    stale_engine: str = _parameter(
        'refuse',
        'an engine that was built for another computer, driver or TensorRT; refuse: do not '
        'configure, onnxruntime: run the ONNX file beside it instead, rebuild: build it anew, '
        'which takes minutes',
        choices=('refuse', 'onnxruntime', 'rebuild'),
        change='unconfigured',
    )
    warm_up_runs: int = _parameter(
        2,
        'inferences before the node is configured',
        minimum=0,
        maximum=100,
        change='unconfigured',
    )
    camera_names: list[str] = _parameter(
        ['camera'],
        'cameras served by the one model; each name is the prefix of its topics',
        change='unconfigured',
    )
    image_transport: str = _parameter(
        'auto',
        'image topic to read: <camera>/image_raw, <camera>/image_raw/compressed, or auto: the '
        'first of the two that delivers',
        choices=('auto', 'raw', 'compressed'),
        change='unconfigured',
    )
    input_qos: str = _parameter(
        'auto',
        'reliability asked of the image publisher; auto: what it offers when the node activates, '
        'best effort where none is there or a best-effort publisher comes later',
        choices=('auto', 'sensor_data', 'reliable'),
        change='unconfigured',
    )
    score_threshold: float = _parameter(
        -1.0,
        "least confidence of an instance, 0 to 1; -1: the model's own",
        minimum=0.0,
        maximum=1.0,
        may_be_model_default=True,
    )
    mask_overlap_threshold: float = _parameter(
        -1.0,
        'share of an instance that higher ones may cover before it is dropped, 0 to 1; '
        "-1: the model's own",
        minimum=0.0,
        maximum=1.0,
        may_be_model_default=True,
    )
    stuff_area_limit: int = _parameter(
        -1,
        "stuff areas below this many pixels become unknown; -1: the model's own",
        minimum=0,
        maximum=2**31 - 1,
        may_be_model_default=True,
    )
    publish_semantic: bool = _parameter(True, 'publish <camera>/semantic/image')
    publish_instances: bool = _parameter(True, 'publish <camera>/panoptic/instances')
    overlay_alpha: float = _parameter(
        0.5,
        'opacity of the colours in <camera>/overlay/image, 0 to 1',
        minimum=0.0,
        maximum=1.0,
    )
    stale_after: float = _parameter(
        2.0,
        'seconds without an image after which a camera is reported as stale',
        minimum=0.05,
        maximum=3600.0,
    )
    max_processing_time: float = _parameter(
        0.0,
        'milliseconds; the diagnostics warn when the 95th percentile of the time from taking an '
        'image to publishing its result is longer; 0: no limit',
        minimum=0.0,
        maximum=1e6,
    )
    diagnostics_period: float = _parameter(
        1.0, 'seconds between two diagnostics', minimum=0.05, maximum=60.0, change='never'
    )
    autostart: bool = _parameter(
        True, 'configure and activate without being asked to', change='never'
    )

    def __post_init__(self) -> None:
        """Refuses impossible values."""
        for name, rule in parameter_rules().items():
            rule.check(name, getattr(self, name))
        self._check_camera_names()

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


def parameter_rules() -> dict[str, ParameterRule]:
    """The rule of each parameter, by name, in the order of declaration."""
    return {entry.name: entry.metadata['rule'] for entry in fields(NodeParameters)}


def parameter_defaults() -> dict[str, Any]:
    """The default of each parameter, by name."""
    parameters = NodeParameters()
    return {name: getattr(parameters, name) for name in parameter_rules()}
