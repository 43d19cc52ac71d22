# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The child process that builds an engine: a crash of the library costs this process alone.

    python -m training.engine.compile_process JOB.json

Writes what the job names and lines of JSON: progress, and at the end what was built or why not.
:mod:`training.engine.build_process` is the other side.
"""

import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.engine.engine_compiler import CompileOptions, EngineBuildError, compile_graph
from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.core.errors import UpsnetError

PLUGIN_MODULE = 'training.engine.deform_conv_plugin'


@dataclass(frozen=True)
class CompileJob:
    """One build.

    Attributes:
        graph: ONNX file.
        engine: Receives the engine.
        options: How to build.
        module: Of the library, as Python imports it.
        use_plugin: Whether our plugin is registered first.
        use_gpu: Whether a GPU is needed, and told of. TensorRT times layers on it.
        timing_cache: Is read where it exists, and written; None: no such file.
    """

    graph: Path
    engine: Path
    options: CompileOptions
    module: str = 'tensorrt'
    use_plugin: bool = True
    use_gpu: bool = True
    timing_cache: Path | None = None

    def to_json(self) -> str:
        """Text, undone by :meth:`from_json`."""
        values = asdict(self) | {'graph': str(self.graph), 'engine': str(self.engine)}
        values['timing_cache'] = self.timing_cache and str(self.timing_cache)
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> 'CompileJob':
        """The job of a text."""
        values = json.loads(text)
        cache = values['timing_cache']
        return cls(
            graph=Path(values['graph']),
            engine=Path(values['engine']),
            options=CompileOptions(**values['options']),
            module=values['module'],
            use_plugin=values['use_plugin'],
            use_gpu=values['use_gpu'],
            timing_cache=None if cache is None else Path(cache),
        )


def run(job: CompileJob) -> dict[str, Any]:
    """Do a build and say what came of it.

    Raises:
        EngineBuildError: If the library is not installed, or refuses the graph.
        ModelError: If there is no driver or no GPU.
    """
    try:
        library = importlib.import_module(job.module)
        if job.use_plugin:
            importlib.import_module(PLUGIN_MODULE)
    except ImportError as error:
        raise EngineBuildError(
            f"'{job.module}' cannot be imported ({error}); install TensorRT 10.13 to 11.4 with "
            'its Python package, on Jetson with JetPack 7.2 or newer'
        ) from error
    computer = describe_computer() if job.use_gpu else None
    cache = job.timing_cache
    compiled = compile_graph(
        library,
        job.graph.read_bytes(),
        job.options,
        timing_cache=cache.read_bytes() if cache is not None and cache.is_file() else b'',
        report=lambda phase, done, total: tell(phase=phase, done=done, total=total),
    )
    job.engine.write_bytes(compiled.engine)
    if cache is not None and compiled.timing_cache:
        part = cache.with_name(f'{cache.name}.part')
        part.write_bytes(compiled.timing_cache)
        part.replace(cache)
    return {
        'library': job.module,
        'version': library.__version__,
        'bytes': len(compiled.engine),
        'layers': compiled.layers,
        'warnings': list(compiled.warnings),
        'computer': computer,
    }


def describe_computer() -> dict[str, Any]:
    """GPU, and versions of CUDA, as an engine's record has them.

    Raises:
        ModelError: If there is no driver or no GPU.
    """
    cuda = CudaRuntime(load_cuda_library())
    return {
        'cuda_driver': cuda.driver_version(),
        'cuda_runtime': cuda.runtime_version(),
        'gpu': cuda.gpu().to_dict(),
    }


def tell(**values: Any) -> None:
    """Write one line for the parent."""
    print(json.dumps(values), flush=True)


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    job = CompileJob.from_json(Path(arguments[0]).read_text())
    try:
        tell(built=run(job))
    except (UpsnetError, OSError) as error:
        tell(error=str(error))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
