# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest of a model: `model.json` beside `model.onnx`, checked field by field.

A TensorRT engine made from the model may lie beside them; it is described by the same manifest.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import LabelError, ManifestError, ModelError, ParameterError
from upsnet_ros.core.geometry import SIDE_MULTIPLE
from upsnet_ros.core.json_fields import JsonFields, is_mapping, is_sha256, is_text
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.model_files import (
    ENGINE_SUFFIX,
    engine_record_path,
    read_json,
    source_beside,
    write_json,
)
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import MASK_SIZE, SEMANTIC_STRIDE

FORMAT_VERSION = 1


@dataclass(frozen=True)
class InputDescription:
    """The network's only input: one camera image with the batch axis in front.

    Attributes:
        name: name of the graph's input.
        height: rows, padding included, a multiple of 32 [px].
        width: columns, padding included, a multiple of 32 [px].
        layout: always `NHWC`.
        channel_order: always `BGR`.
        dtype: always `uint8`; the graph itself subtracts the mean.
        pad_value: colour of the padding, blue, green, red.
    """

    name: str
    height: int
    width: int
    layout: str
    channel_order: str
    dtype: str
    pad_value: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the graph's input."""
        return (1, self.height, self.width, 3)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return vars(self) | {'pad_value': list(self.pad_value)}


@dataclass(frozen=True)
class TensorDescription:
    """One output of the graph.

    Attributes:
        shape: with the batch axis in front.
        dtype: NumPy name of the element type.
    """

    shape: tuple[int, ...]
    dtype: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {'shape': list(self.shape), 'dtype': self.dtype}


@dataclass(frozen=True)
class ModelManifest:
    """What a model is, what it takes and what it gives.

    Attributes:
        format_version: version of this format, 1.
        name: name of the model.
        label_set: the classes it tells apart.
        input: its input.
        outputs: its outputs by name.
        panoptic_head: keyword arguments of `PanopticHead` that suit the model, all of them.
        sha256: hash of the ONNX file, 64 hexadecimal digits.
        recipe: how it was trained, as the trainer wrote it.
        training: what the training was like (time, seed, ...).
        metrics: what it reached.
    """

    format_version: int
    name: str
    label_set: LabelSet
    input: InputDescription
    outputs: Mapping[str, TensorDescription]
    panoptic_head: Mapping[str, Any]
    sha256: str
    recipe: Mapping[str, Any]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the network's input [px]."""
        return self.input.height, self.input.width

    @classmethod
    def load(cls, model_path: Path | str) -> ModelManifest:
        """Read the manifest beside a model file and check that it belongs to that file.

        Args:
            model_path: the ONNX file, whose manifest has the same name with `.json`; or a TensorRT
                engine, whose record `<engine>.json` says from which ONNX file it was built, with
                the manifest of that file beside it, by the engine's name or as `model.json`.

        Raises:
            ModelError: a file is missing or unreadable.
            ManifestError: a field is missing or wrong, or the file is not the one described.
        """
        model_path = Path(model_path)
        if model_path.suffix == ENGINE_SUFFIX:
            return _manifest_of_engine(model_path)
        digest = _hash_file(model_path)
        manifest = cls.from_dict(_read_manifest(model_path.with_suffix('.json')))
        if digest != manifest.sha256:
            raise ManifestError(
                'sha256',
                manifest.sha256,
                f"{digest}, the hash of '{model_path}': the file was altered or belongs to "
                'another manifest',
            )
        return manifest

    @classmethod
    def from_dict(cls, values: Any) -> ModelManifest:
        """Return the manifest written by `to_dict`, every field checked.

        Raises:
            ManifestError: a field is missing, unknown or wrong.
        """
        fields = _Fields('', values)
        version = fields.take('format_version', lambda v: v == FORMAT_VERSION, f'{FORMAT_VERSION}')
        label_set = _label_set(fields.take('label_set', is_mapping, 'an object'))
        input_description = _input(fields.take('input', is_mapping, 'an object'))
        manifest = cls(
            format_version=version,
            name=fields.take('name', is_text, 'a text'),
            label_set=label_set,
            input=input_description,
            outputs=_outputs(
                fields.take('outputs', is_mapping, 'an object'), input_description, label_set
            ),
            panoptic_head=_panoptic_head(
                fields.take('panoptic_head', is_mapping, 'an object'), label_set
            ),
            sha256=fields.take('sha256', is_sha256, '64 hexadecimal digits in lower case'),
            recipe=fields.take('recipe', is_mapping, 'an object'),
            training=fields.take('training', is_mapping, 'an object'),
            metrics=fields.take('metrics', is_mapping, 'an object'),
        )
        fields.refuse_others()
        return manifest

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` undoes it."""
        return {
            'format_version': self.format_version,
            'name': self.name,
            'label_set': self.label_set.to_dict(),
            'input': self.input.to_dict(),
            'outputs': {name: output.to_dict() for name, output in self.outputs.items()},
            'panoptic_head': dict(self.panoptic_head),
            'sha256': self.sha256,
            'recipe': dict(self.recipe),
            'training': dict(self.training),
            'metrics': dict(self.metrics),
        }

    def write(self, path: Path | str) -> None:
        """Write the manifest as JSON, in one step so that no reader sees half of it."""
        write_json(Path(path), self.to_dict())


_Fields = partial(JsonFields, error=ManifestError, version=FORMAT_VERSION)


def _is_side(value: Any) -> bool:
    return type(value) is int and value > 0 and value % SIDE_MULTIPLE == 0


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in value)
    )


def _label_set(values: Any) -> LabelSet:
    """Return the label set, or raise ManifestError with the label set's own reason."""
    try:
        return LabelSet.from_dict(values)
    except LabelError as error:
        raise ManifestError('label_set', values, f'a label set ({error})') from error


def _input(values: Any) -> InputDescription:
    fields = _Fields('input.', values)
    side = f'a positive multiple of {SIDE_MULTIPLE}'
    description = InputDescription(
        name=fields.take('name', is_text, 'a text'),
        height=fields.take('height', _is_side, side),
        width=fields.take('width', _is_side, side),
        layout=fields.take('layout', lambda v: v == 'NHWC', "'NHWC'"),
        channel_order=fields.take('channel_order', lambda v: v == 'BGR', "'BGR'"),
        dtype=fields.take('dtype', lambda v: v == 'uint8', "'uint8'"),
        pad_value=tuple(
            fields.take('pad_value', _is_colour, 'three integers from 0 to 255 (blue, green, red)')
        ),
    )
    fields.refuse_others()
    return description


def _expected_outputs(
    input_description: InputDescription, label_set: LabelSet, rows: int
) -> dict[str, TensorDescription]:
    """Return the outputs that a graph with K = `rows` instances must have."""
    quarter = (
        input_description.height // SEMANTIC_STRIDE,
        input_description.width // SEMANTIC_STRIDE,
    )
    return {
        'semantic_logits': TensorDescription((1, label_set.num_classes, *quarter), 'float32'),
        'boxes': TensorDescription((1, rows, 4), 'float32'),
        'scores': TensorDescription((1, rows), 'float32'),
        'classes': TensorDescription((1, rows), 'int32'),
        'mask_logits': TensorDescription((1, rows, MASK_SIZE, MASK_SIZE), 'float32'),
        'count': TensorDescription((1,), 'int32'),
    }


def _outputs(
    values: Any, input_description: InputDescription, label_set: LabelSet
) -> dict[str, TensorDescription]:
    """Return the checked descriptions of the outputs; the number of rows K is free."""
    fields = _Fields('outputs.', values)
    scores = values.get('scores')
    try:
        rows = int(scores['shape'][1])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ManifestError('outputs.scores', scores, 'a shape [1, K] and a dtype') from error
    expected = _expected_outputs(input_description, label_set, max(rows, 1))
    for name, description in expected.items():
        wanted = description.to_dict()
        fields.take(name, partial(operator.eq, wanted), f'{wanted} for this input and label set')
    fields.refuse_others()
    return expected


def _panoptic_head(values: Any, label_set: LabelSet) -> dict[str, Any]:
    """Return all parameters of the panoptic head; those not given have their defaults."""
    try:
        return PanopticHead(label_set, **values).parameters
    except (ParameterError, TypeError) as error:
        raise ManifestError(
            'panoptic_head', values, f'parameters of the panoptic head ({error})'
        ) from error


def _hash_file(path: Path) -> str:
    try:
        with path.open('rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
        raise ModelError(
            f"model file '{path}' cannot be read ({error.strerror}), expected an ONNX file with "
            'its manifest (.json) beside it; check the path of the model'
        ) from error


def _manifest_of_engine(engine_path: Path) -> ModelManifest:
    """Return the manifest beside an engine, if the engine was built from that model."""
    if not engine_path.is_file():
        raise ModelError(
            f"model file '{engine_path}' does not exist, expected a TensorRT engine; check the "
            'path of the model, or build it: python -m training.build_engine'
        )
    record_path = engine_record_path(engine_path)
    record = read_json(record_path, what='engine record', remedy='build the engine again')
    built_from = record.get('model_sha256') if is_mapping(record) else None
    manifest_path = source_beside(engine_path, '.json')
    manifest = ModelManifest.from_dict(_read_manifest(manifest_path))
    if built_from != manifest.sha256:
        raise ManifestError(
            'sha256',
            manifest.sha256,
            f"{built_from}, 'model_sha256' of '{record_path}': the engine was built from another "
            f"model than '{manifest_path}' describes, so build it again "
            '(python -m training.build_engine), or use the ONNX file as model',
        )
    return manifest


def _read_manifest(path: Path) -> Any:
    return read_json(path, what='manifest', remedy='export the model again')
