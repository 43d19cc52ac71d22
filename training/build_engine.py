# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compile a model for TensorRT.

    python -m training.build_engine --model model.onnx --output model.engine

Run it on the computer that will run the engine: an engine fits one GPU model and one release of
TensorRT. It needs TensorRT 10.13 to 11.4 with its Python package, cuda-bindings, onnx and NumPy;
neither PyTorch nor Triton. A build takes minutes.

Written are the engine, its record (model.engine.json: versions, GPU, hashes, shapes) and, unless
they lie there, the model and its manifest. Before that the engine labels a few images and is
compared with ONNX Runtime; one that differs more than its precision explains is refused.

  --deform-conv plugin    our kernels, timed on this GPU, the fastest of them inside the engine
  --deform-conv builtin   TensorRT's own operator, to compare with
  --deform-conv native    standard operators only, slower: for a TensorRT before 10.13
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import hashlib
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import onnx

from training.deform_conv_kernels.ptx_store import read_store
from training.engine.build_process import build_engine
from training.engine.compile_process import CompileJob
from training.engine.deform_conv_forms import FORMS
from training.engine.engine_compiler import CompileOptions
from training.engine.golden_images import read_images, render_images
from training.engine.variant import PRECISIONS, EngineForm, build_variant
from training.engine.verification import verify_engine
from training.interruption import interruptible
from upsnet_ros.agreement import ENGINE_TOLERANCES, Agreement
from upsnet_ros.backends.cuda_runtime import Gpu
from upsnet_ros.backends.engine_record import EngineInput, EngineRecord, current_platform
from upsnet_ros.core.errors import ModelError, ParameterError, UpsnetError
from upsnet_ros.core.model_files import ENGINE_SUFFIX, engine_record_path, source_beside
from upsnet_ros.manifest import ModelManifest

LOGGER = logging.getLogger(__name__)
DEFAULT_IMAGES = 3


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the build command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.build_engine',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--model', type=Path, required=True, help='exported model (.onnx beside its .json)')
    add('--output', type=Path, required=True, help='the engine, a file that ends in .engine')
    add('--precision', choices=PRECISIONS, default='fp16', help='of products (default: fp16)')
    add('--deform-conv', choices=FORMS, default='plugin', help='see above (default: plugin)')
    add(
        '--cameras',
        type=int,
        default=1,
        metavar='N',
        help='images that are labelled at once (default: 1)',
    )
    add(
        '--workspace',
        type=float,
        default=0.0,
        metavar='GIB',
        help='most memory that one layer may take while it runs (default: all there is)',
    )
    add(
        '--optimisation-level',
        type=int,
        default=3,
        choices=range(6),
        help='0: quickest build, 5: quickest engine (default: 3)',
    )
    add(
        '--timing-cache',
        type=Path,
        metavar='FILE',
        help="times of layers, kept for the next build (default: beside the engine; 'none': no "
        'file)',
    )
    add(
        '--images',
        type=Path,
        metavar='DIR',
        help='images of the camera to compare on (default: three rendered streets)',
    )
    add('--frames', type=int, default=DEFAULT_IMAGES, help='how many of them (default: 3)')
    return parser.parse_args(arguments)


def build(options: argparse.Namespace) -> tuple[EngineRecord, Agreement]:
    """Build, compare and write an engine; what lies there stays if anything fails.

    Raises:
        UpsnetError: If the model cannot be used, TensorRT or a GPU is missing, the build fails, or
            the engine differs from the model.
        OSError: If a file cannot be written.
    """
    _check(options)
    manifest = ModelManifest.load(options.model)
    _check_neighbours(options.output, manifest)
    form = EngineForm(
        precision=options.precision, deform_conv=options.deform_conv, cameras=options.cameras
    )
    graph = build_variant(_read_graph(options.model), form)
    count = options.frames
    images = read_images(options.images, count) if options.images else render_images(count)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output.parent, prefix='.partial-') as folder:
        trial = Path(folder) / f'model{ENGINE_SUFFIX}'
        job = CompileJob(
            graph=Path(folder) / 'variant.onnx',
            engine=trial,
            options=CompileOptions(
                options.precision, options.workspace, options.optimisation_level
            ),
            use_plugin=options.deform_conv == 'plugin',
            timing_cache=_timing_cache(options),
        )
        job.graph.write_bytes(graph.SerializeToString())
        built = build_engine(job)
        for line in built['warnings']:
            LOGGER.debug('TensorRT: %s', line)
        for name in ('model.onnx', 'model.json'):
            shutil.copyfile(options.model.with_suffix(Path(name).suffix), trial.with_name(name))
        record = describe(manifest, form, graph, job, built)
        record.write(trial)
        agreement = verify_engine(trial, images, precision=options.precision)
        record = describe(manifest, form, graph, job, built, agreement)
        record.write(trial)
        _move(trial, options.output)
    return record, agreement


def describe(
    manifest: ModelManifest,
    form: EngineForm,
    graph: onnx.ModelProto,
    job: CompileJob,
    built: dict[str, Any],
    agreement: Agreement | None = None,
) -> EngineRecord:
    """The record of an engine that was built.

    Args:
        manifest: Of the model.
        form: How it was compiled.
        graph: What was compiled.
        job: The build.
        built: Its answer.
        agreement: What the comparison found; None before it.
    """
    computer = built['computer']
    kernels = ''.join(kernel.sha256 for kernel in read_store().kernels)
    return EngineRecord(
        engine_sha256=_sha256(job.engine.read_bytes()),
        onnx_sha256=_sha256(job.graph.read_bytes()),
        model_sha256=manifest.sha256,
        model_name=manifest.name,
        precision=form.precision,
        deform_conv=form.deform_conv,
        plugin_ptx_sha256=_sha256(kernels.encode()) if form.deform_conv == 'plugin' else None,
        cameras=form.cameras,
        tensorrt=built['version'],
        cuda_runtime=computer['cuda_runtime'],
        cuda_driver=computer['cuda_driver'],
        gpu=Gpu(**computer['gpu']),
        platform=current_platform(),
        input=EngineInput(
            manifest.input.name, (form.cameras, *manifest.input.shape[1:]), manifest.input.dtype
        ),
        outputs={
            name: replace(tensor, shape=(form.cameras, *tensor.shape[1:]))
            for name, tensor in manifest.outputs.items()
        },
        verification=agreement.to_dict() if agreement else {},
        built=datetime.now(timezone.utc).isoformat(timespec='seconds'),
    )


def _check(options: argparse.Namespace) -> None:
    for name, path, suffix in (
        ('--model', options.model, '.onnx'),
        ('--output', options.output, ENGINE_SUFFIX),
    ):
        if path.suffix != suffix:
            raise ParameterError(f'{name} is {path}, expected a file that ends in {suffix}')
    if options.frames < 1:
        raise ParameterError(f'--frames is {options.frames}, expected at least 1')
    if options.workspace < 0:
        raise ParameterError(f'--workspace is {options.workspace}, expected 0 or more')


def _check_neighbours(output: Path, manifest: ModelManifest) -> None:
    """Refuse a folder in which the engine would lie beside the manifest of another model."""
    path = source_beside(output, '.json')
    if path.is_file() and ModelManifest.load(path.with_suffix('.onnx')).sha256 != manifest.sha256:
        raise ParameterError(
            f'--output is {output}, but {path} belongs to another model; expected a folder of its '
            'own for each model'
        )


def _read_graph(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load_from_string(path.read_bytes())
    except Exception as error:  # protobuf's own types differ between its versions
        raise ModelError(
            f'{path}: cannot be read as ONNX ({error}); export the model again'
        ) from error


def _timing_cache(options: argparse.Namespace) -> Path | None:
    if options.timing_cache is None:
        return options.output.with_suffix('.timing')
    return None if str(options.timing_cache) == 'none' else options.timing_cache


def _move(trial: Path, output: Path) -> None:
    """Put the files into place, the record last: an engine without its record is refused."""
    if not source_beside(output, '.json').is_file():
        for suffix in ('.onnx', '.json'):
            os.replace(trial.with_suffix(suffix), output.with_suffix(suffix))
    engine_record_path(output).unlink(missing_ok=True)
    os.replace(trial, output)
    os.replace(engine_record_path(trial), engine_record_path(output))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        record, agreement = build(options)
    except (UpsnetError, OSError) as error:
        LOGGER.error('no engine was written: %s', error)
        return 1
    LOGGER.info(
        'TensorRT %s on %s, %s, beside ONNX Runtime:\n%s\nwritten to %s (%.1f MB)',
        record.tensorrt,
        record.gpu.name,
        record.precision,
        agreement.table(ENGINE_TOLERANCES[record.precision]),
        options.output,
        options.output.stat().st_size / 1e6,
    )
    return 0


if __name__ == '__main__':
    sys.exit(interruptible(main))
