# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The graph that TensorRT compiles, made from ``model.onnx`` when the engine is built."""

from dataclasses import dataclass

import onnx

from training.engine.cameras import LARGEST_BATCH, for_cameras
from training.engine.constants import fold_constants
from training.engine.deform_conv_forms import FORMS, use_deform_conv_form
from training.engine.limits import check_graph
from training.engine.mixed_precision import mix_precision
from training.engine.roi_align import use_native_roi_align
from upsnet_ros.core.errors import ParameterError

PRECISIONS = ('fp16', 'fp32')


@dataclass(frozen=True, kw_only=True)
class EngineForm:
    """How a model is to be compiled.

    Attributes:
        precision: ``fp16`` (products in half precision, see :mod:`.mixed_precision`) or ``fp32``.
        deform_conv: ``plugin``, ``builtin`` or ``native``, see :mod:`.deform_conv_forms`; with
            ``native`` RoIAlign is made of standard operators too, so that no plugin is needed.
        cameras: Images that are processed at once.

    Raises:
        ParameterError: If a value is impossible.
    """

    precision: str = 'fp16'
    deform_conv: str = 'plugin'
    cameras: int = 1

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ParameterError(
                f'--precision {self.precision}: expected one of {", ".join(PRECISIONS)}'
            )
        if self.deform_conv not in FORMS:
            raise ParameterError(
                f'--deform-conv {self.deform_conv}: expected one of {", ".join(FORMS)}'
            )
        if not 1 <= self.cameras <= LARGEST_BATCH:
            raise ParameterError(f'--cameras {self.cameras}: expected 1 to {LARGEST_BATCH}')


def build_variant(model: onnx.ModelProto, form: EngineForm) -> onnx.ModelProto:
    """Make the graph of an engine.

    Args:
        model: What ``training.export`` wrote; not modified.
        form: How it is to be compiled.

    Returns:
        A model that TensorRT's parser takes as a strongly typed network and that ONNX Runtime runs
        too, with the names and types of the original's inputs and outputs.

    Raises:
        GraphError: If the model cannot be brought into this form.
    """
    graph = for_cameras(model, form.cameras)
    if form.precision == 'fp16':
        graph = mix_precision(graph)
    graph = fold_constants(graph)
    graph = use_deform_conv_form(graph, form.deform_conv)
    if form.deform_conv == 'native':
        graph = use_native_roi_align(graph)
    check_graph(graph)
    onnx.checker.check_model(graph)
    return graph
