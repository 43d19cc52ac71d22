# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The record of a TensorRT engine: `model.engine.json`, written beside it by whoever built it.

TensorRT cannot say whether it could load an engine before it loads it. So what an engine was built
with is written down, and compared with what is there before TensorRT sees a byte of it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from upsnet_ros.backends.cuda_runtime import CudaRuntime, Gpu, version_numbers
from upsnet_ros.core.errors import FieldError, ModelError, StaleEngineError
from upsnet_ros.core.json_fields import JsonFields, is_mapping, is_sha256, is_text
from upsnet_ros.core.model_files import (
    engine_record_path,
    read_json,
    source_beside,
    write_json,
)
from upsnet_ros.manifest import ModelManifest, TensorDescription

RECORD_VERSION = 1
PRECISIONS = ('fp16', 'fp32')
DEFORM_CONVS = ('plugin', 'builtin', 'native')
BUILDER = 'python -m training.build_engine'
BUILD_AGAIN = f'build the engine again: {BUILDER} --model model.onnx --output model.engine'
_TYPES = ('uint8', 'int32', 'float32', 'float16')


class EngineRecordError(FieldError):
    """A field of an engine's record that is missing or malformed."""

    file = 'engine record'
    remedy = BUILD_AGAIN


@dataclass(frozen=True)
class Surroundings:
    """Where an engine is to run.

    Attributes:
        tensorrt: version of the installed TensorRT, for example `10.16.1.11`.
        cuda_driver: newest CUDA version that the driver can run, for example `13.0`.
        gpu: the device.
        platform: operating system and processor, for example `linux-x86_64`.
        model_sha256: hash of the ONNX file that the manifest in use describes.
    """

    tensorrt: str
    cuda_driver: str
    gpu: Gpu
    platform: str
    model_sha256: str

    @classmethod
    def of(cls, library: Any, cuda: CudaRuntime, manifest: ModelManifest) -> Surroundings:
        """Return what an engine must fit here.

        Args:
            library: the module `tensorrt`.
            cuda: the device.
            manifest: the model that the engine should be of.

        Raises:
            ModelError: there is no driver or no GPU.
        """
        return cls(
            tensorrt=library.__version__,
            cuda_driver=cuda.driver_version(),
            gpu=cuda.gpu(),
            platform=current_platform(),
            model_sha256=manifest.sha256,
        )


def current_platform() -> str:
    """Operating system and processor of this computer, for example `linux-aarch64`."""
    return f'{sys.platform}-{platform.machine().lower()}'


@dataclass(frozen=True)
class EngineInput:
    """The engine's only input.

    Attributes:
        name: name of the tensor.
        shape: cameras, height, width, channels.
        dtype: NumPy name of the element type.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self), 'shape': list(self.shape)}


@dataclass(frozen=True)
class EngineRecord:
    """What an engine is, what it was built with and where it runs.

    Attributes:
        engine_sha256: hash of the engine.
        onnx_sha256: hash of the ONNX file that was compiled: the model's own, or a variant of it.
        model_sha256: hash of the model's ONNX file, as its manifest has it.
        model_name: name of the model in its manifest.
        precision: `fp16` or `fp32`.
        deform_conv: who computes deformable convolutions: `plugin`, `builtin` or `native`.
        plugin_ptx_sha256: hash of the plugin's PTX; None without the plugin.
        cameras: images that the engine takes at once.
        tensorrt: TensorRT that built it, for example `10.16.1`.
        cuda_runtime: CUDA version of the libraries that built it, for example `13.0`.
        cuda_driver: newest CUDA version that the driver could run that built it.
        gpu: the GPU it was built on.
        platform: operating system and processor it was built on, for example `linux-x86_64`.
        input: its input.
        outputs: its outputs by name.
        verification: what the comparison with ONNX Runtime after the build found.
        built: date and time of the build, ISO 8601.
        format_version: version of this format, 1.
    """

    engine_sha256: str
    onnx_sha256: str
    model_sha256: str
    model_name: str
    precision: str
    deform_conv: str
    plugin_ptx_sha256: str | None
    cameras: int
    tensorrt: str
    cuda_runtime: str
    cuda_driver: str
    gpu: Gpu
    platform: str
    input: EngineInput
    outputs: Mapping[str, TensorDescription]
    verification: Mapping[str, Any]
    built: str
    format_version: int = RECORD_VERSION

    @classmethod
    def load(cls, engine_path: Path | str) -> EngineRecord:
        """Read the record beside an engine.

        Args:
            engine_path: the engine; its record has the same name with `.json` behind it.

        Raises:
            ModelError: the record is missing, unreadable or no JSON.
            EngineRecordError: a field is missing, unknown or wrong.
        """
        path = engine_record_path(Path(engine_path))
        return cls.from_dict(read_json(path, what='engine record', remedy=BUILD_AGAIN))

    @classmethod
    def from_dict(cls, values: Any) -> EngineRecord:
        """Return the record written by `to_dict`, every field checked.

        Raises:
            EngineRecordError: a field is missing, unknown or wrong.
        """
        fields = _Fields('', values)
        taken = {name: fields.take(name, *rule) for name, rule in _RULES.items()}
        fields.refuse_others()
        parts = {name: make(taken[name]) for name, make in _PARTS.items()}
        return cls(**{**taken, **parts})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; `from_dict` undoes it."""
        return {
            **vars(self),
            'gpu': self.gpu.to_dict(),
            'input': self.input.to_dict(),
            'outputs': {name: output.to_dict() for name, output in self.outputs.items()},
            'verification': dict(self.verification),
        }

    def write(self, engine_path: Path | str) -> None:
        """Write the record beside its engine, in one step so that no reader sees half of it."""
        write_json(engine_record_path(Path(engine_path)), self.to_dict())

    def build_command(self, engine_path: Path) -> str:
        """The command line that builds the engine anew, as it was built before."""
        return shlex.join(
            [
                *BUILDER.split(),
                *('--model', str(source_beside(engine_path, '.onnx'))),
                *('--output', str(engine_path)),
                *('--precision', self.precision, '--deform-conv', self.deform_conv),
                *('--cameras', str(self.cameras)),
            ]
        )

    def problems(self, actual: Surroundings) -> tuple[str, ...]:
        """Return why the engine must not be loaded here, one line each; none if it fits.

        Each line says what is there and what the engine wants.
        """
        same = (
            (
                'GPU of compute capability',
                actual.gpu.compute_capability,
                self.gpu.compute_capability,
            ),
            ('GPU', actual.gpu.name, self.gpu.name),
            ('platform', actual.platform, self.platform),
            ('model of SHA-256', actual.model_sha256, self.model_sha256),
        )
        lines = [
            f'{what} is {there}, the engine was built for {wanted}'
            for what, there, wanted in same
            if there != wanted
        ]
        if not _same_release(actual.tensorrt, self.tensorrt):
            lines.insert(
                0,
                f'TensorRT is {actual.tensorrt}, the engine was built with {self.tensorrt} and '
                'loads in no other',
            )
        if version_numbers(actual.cuda_driver) < version_numbers(self.cuda_driver):
            lines.append(
                f'the NVIDIA driver runs CUDA up to {actual.cuda_driver}, the engine was proved '
                f'with one for {self.cuda_driver}; update the driver'
            )
        return tuple(lines)


def read_fitting_engine(
    engine_path: Path, surroundings: Surroundings
) -> tuple[bytes, EngineRecord]:
    """Return an engine's content and its record, if the record says that it can run here.

    Raises:
        ModelError: the engine or its record is missing, altered or truncated.
        StaleEngineError: it was built for something else.
    """
    record = EngineRecord.load(engine_path)
    problems = record.problems(surroundings)
    if problems:
        raise StaleEngineError(engine_path, problems, record.build_command(engine_path))
    try:
        content = engine_path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"engine '{engine_path}' cannot be read ({error.strerror}); check the path of the "
            f'model, or {BUILD_AGAIN}'
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != record.engine_sha256:
        raise ModelError(
            f"engine '{engine_path}' has {len(content)} bytes of SHA-256 {digest}, its record "
            f'says {record.engine_sha256}: the file was truncated or altered; copy both files '
            f'again, or {BUILD_AGAIN}'
        )
    return content, record


_Fields = partial(JsonFields, error=EngineRecordError, version=RECORD_VERSION)


def _same_release(there: str, wanted: str) -> bool:
    """Whether two versions agree as far as both are given: `10.16.1.11` is a `10.16.1`."""
    return all(
        a == b for a, b in zip(version_numbers(there), version_numbers(wanted), strict=False)
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r'\d+(\.\d+)+', value) is not None


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_count, value))


def _gpu(values: Any) -> Gpu:
    fields = _Fields('gpu.', values)
    gpu = Gpu(
        name=fields.take('name', is_text, 'a text'),
        compute_capability=fields.take('compute_capability', _is_version, "such as '8.7'"),
        integrated=fields.take('integrated', lambda v: isinstance(v, bool), 'true or false'),
    )
    fields.refuse_others()
    return gpu


def _input(values: Any) -> EngineInput:
    fields = _Fields('input.', values)
    name = fields.take('name', is_text, 'a text')
    tensor = _tensor(fields)
    return EngineInput(name, tensor.shape, tensor.dtype)


def _outputs(values: Mapping[str, Any]) -> dict[str, TensorDescription]:
    return {name: _tensor(_Fields(f'outputs.{name}.', entry)) for name, entry in values.items()}


def _tensor(fields: JsonFields) -> TensorDescription:
    """Return the shape and type that are left in an object."""
    shape = fields.take('shape', _is_shape, 'a list of positive whole numbers')
    dtype = fields.take('dtype', _TYPES.__contains__, f'one of {_TYPES}')
    fields.refuse_others()
    return TensorDescription(tuple(shape), dtype)


_DIGEST = (is_sha256, '64 hexadecimal digits in lower case')
_TEXT = (is_text, 'a text')
_VERSION = (_is_version, "numbers and dots such as '13.0'")
_OBJECT = (is_mapping, 'an object')
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    'format_version': (
        lambda v: type(v) is int and v == RECORD_VERSION,
        f'{RECORD_VERSION}',
    ),
    'engine_sha256': _DIGEST,
    'onnx_sha256': _DIGEST,
    'model_sha256': _DIGEST,
    'model_name': _TEXT,
    'precision': (PRECISIONS.__contains__, f'one of {PRECISIONS}'),
    'deform_conv': (DEFORM_CONVS.__contains__, f'one of {DEFORM_CONVS}'),
    'plugin_ptx_sha256': (lambda v: v is None or is_sha256(v), f'{_DIGEST[1]}, or null'),
    'cameras': (_is_count, 'a whole number, at least 1'),
    'tensorrt': _VERSION,
    'cuda_runtime': _VERSION,
    'cuda_driver': _VERSION,
    'gpu': _OBJECT,
    'platform': _TEXT,
    'input': _OBJECT,
    'outputs': _OBJECT,
    'verification': _OBJECT,
    'built': _TEXT,
}
_PARTS: dict[str, Callable[[Any], Any]] = {'gpu': _gpu, 'input': _input, 'outputs': _outputs}
