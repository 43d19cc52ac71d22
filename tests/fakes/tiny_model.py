# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny real ONNX model with the inputs and outputs of a panoptic network.

Its answers follow from the image by a rule that a test can repeat: every fourth pixel's class is
its blue value, and one car with a score of 0.9 lies in a fixed box.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fakes.fake_backend import manifest_values
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.manifest import ModelManifest

BOX = (8.0, 12.0, 39.0, 43.0)
CAR = 13
ROWS = 4
TOP = 20.0
INPUT_SIZE = (64, 96)
UNFIT_IMAGES = (
    np.zeros((64, 95, 3), np.uint8),
    np.zeros((64, 96), np.uint8),
    np.zeros((64, 96, 3), np.float32),
    np.zeros((1, 64, 96, 3), np.uint8),
)


def tiny_graph(
    *, input_size: tuple[int, int] = INPUT_SIZE, label_set: LabelSet | None = None
) -> onnx.ModelProto:
    """Return the model: `20 - abs(class - blue)` as semantic logits, one fixed instance."""
    label_set = label_set or cityscapes_label_set()
    height, width = input_size
    constants = {
        'starts': np.array([0, 0, 0], np.int64),
        'ends': np.array([height, width, 1], np.int64),
        'axes': np.array([1, 2, 3], np.int64),
        'steps': np.array([4, 4, 1], np.int64),
        'class_ids': np.arange(label_set.num_classes, dtype=np.float32)[None, :, None, None],
        'top': np.array(TOP, np.float32),
        'boxes_constant': np.tile(np.array(BOX, np.float32), (1, ROWS, 1)),
        'scores_constant': np.array([[0.9, 0, 0, 0]], np.float32),
        'classes_constant': np.full((1, ROWS), CAR, np.int32),
        'masks_constant': np.full((1, ROWS, 28, 28), 30.0, np.float32),
        'count_constant': np.array([1], np.int32),
    }
    nodes = [
        helper.make_node('Slice', ['image', 'starts', 'ends', 'axes', 'steps'], ['corner']),
        helper.make_node('Cast', ['corner'], ['blue'], to=TensorProto.FLOAT),
        helper.make_node('Transpose', ['blue'], ['plane'], perm=[0, 3, 1, 2]),
        helper.make_node('Sub', ['class_ids', 'plane'], ['difference']),
        helper.make_node('Abs', ['difference'], ['distance']),
        helper.make_node('Sub', ['top', 'distance'], ['semantic_logits']),
        helper.make_node('Identity', ['boxes_constant'], ['boxes']),
        helper.make_node('Identity', ['scores_constant'], ['scores']),
        helper.make_node('Identity', ['classes_constant'], ['classes']),
        helper.make_node('Identity', ['masks_constant'], ['mask_logits']),
        helper.make_node('Identity', ['count_constant'], ['count']),
    ]
    shapes = manifest_values(input_size=input_size, label_set=label_set, rows=ROWS)['outputs']
    types = {'float32': TensorProto.FLOAT, 'int32': TensorProto.INT32}
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, height, width, 3])],
        [
            helper.make_tensor_value_info(name, types[entry['dtype']], entry['shape'])
            for name, entry in shapes.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def write_tiny_model(folder: Path, model: onnx.ModelProto | None = None, **options) -> Path:
    """Write `model.onnx` and a fitting `model.json`, and return the path of the first."""
    content = (model or tiny_graph(**options)).SerializeToString()
    path = folder / 'model.onnx'
    path.write_bytes(content)
    values = manifest_values(rows=ROWS, sha256=hashlib.sha256(content).hexdigest(), **options)
    ModelManifest.from_dict(values).write(path.with_suffix('.json'))
    return path
