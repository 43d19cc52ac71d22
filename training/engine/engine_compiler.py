# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT's builder: one call from a graph to an engine, its progress and its complaints.

The library is an argument: TensorRT, or TensorRT-RTX, whose interface is the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from upsnet_ros.core.errors import UpsnetError

GIB = 2**30
MOST_MESSAGES = 5

# Name of a phase of the build, steps done, steps in all.
Report = Callable[[str, int, int], None]


class EngineBuildError(UpsnetError):
    """TensorRT did not make an engine of a graph."""


@dataclass(frozen=True)
class CompileOptions:
    """What decides how TensorRT builds.

    Attributes:
        precision: ``fp32`` or ``fp16``, as the graph is typed. In ``fp32``, matrix units with
            10-bit mantissas (TF32) are not used.
        workspace_gib: Most memory that a layer may ask for while it runs; 0: all there is.
        optimisation_level: 0, quickest build, to 5, quickest engine.
    """

    precision: str
    workspace_gib: float = 0.0
    optimisation_level: int = 3


@dataclass(frozen=True)
class CompiledEngine:
    """What the builder gave.

    Attributes:
        engine: The serialised engine.
        timing_cache: Times of layers, which make the next build shorter; empty without.
        layers: Layers of the network before they were fused.
        warnings: Of the builder, each once.
    """

    engine: bytes
    timing_cache: bytes
    layers: int
    warnings: tuple[str, ...]


@dataclass
class Complaints:
    """What the library logged.

    Attributes:
        errors: In the order of their coming.
        warnings: In the order of their coming, each once.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def described(self) -> str:
        """The first errors as one line."""
        if not self.errors:
            return 'TensorRT gave no reason'
        more = len(self.errors) - MOST_MESSAGES
        return '; '.join(self.errors[:MOST_MESSAGES]) + (f'; and {more} more' if more > 0 else '')


def compile_graph(
    trt: ModuleType,
    graph: bytes,
    options: CompileOptions,
    *,
    timing_cache: bytes = b'',
    report: Report = lambda *_: None,
) -> CompiledEngine:
    """Compile a graph of fixed shapes and explicit types.

    Args:
        trt: The module ``tensorrt``, its plugins registered.
        graph: The ONNX model in protobuf.
        options: How to build.
        timing_cache: Of an earlier build with the same library, driver and GPU.
        report: Is told of every step.

    Raises:
        EngineBuildError: If the parser or the builder refuses; names the node or the reason.
    """
    complaints = Complaints()
    logger = _make_logger(trt, complaints)
    builder = _make_builder(trt, logger, complaints)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise EngineBuildError(f'TensorRT cannot read the graph: {_parser_errors(parser)}')
    if not network.num_outputs:
        raise EngineBuildError('TensorRT cannot read the graph: it has no output')
    config = builder.create_builder_config()
    config.progress_monitor = monitor = _make_monitor(trt, report)
    config.builder_optimization_level = options.optimisation_level
    if options.workspace_gib:
        limit = int(options.workspace_gib * GIB)
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, limit)
    if options.precision == 'fp32':
        config.clear_flag(trt.BuilderFlag.TF32)
    cache = _use_timing_cache(config, timing_cache, complaints)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineBuildError(f'TensorRT cannot build the engine: {complaints.described()}')
    del monitor  # the configuration holds no reference of its own
    times = bytes(cache.serialize()) if cache is not None else b''
    return CompiledEngine(bytes(plan), times, network.num_layers, tuple(complaints.warnings))


def _network_flags(trt: ModuleType) -> int:
    """Flags as bits, those that this version has: types come from the graph, PTX into the engine.

    Only strongly typed networks exist from TensorRT 11 on.
    """
    known = trt.NetworkDefinitionCreationFlag.__members__
    wanted = ('STRONGLY_TYPED', 'PREFER_AOT_PYTHON_PLUGINS')
    return sum(1 << int(known[name]) for name in wanted if name in known)


def _make_builder(trt: ModuleType, logger: Any, complaints: Complaints) -> Any:
    try:
        return trt.Builder(logger)
    except TypeError as error:  # how the bindings say that the library made none
        raise EngineBuildError(
            f"TensorRT's builder does not start: {complaints.described()}; check the GPU with "
            'nvidia-smi, and that the whole of TensorRT is installed, not the lean runtime alone'
        ) from error


def _make_logger(trt: ModuleType, complaints: Complaints) -> Any:
    base: Any = trt.ILogger

    class Logger(base):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                complaints.errors.append(message)
            elif severity == trt.ILogger.Severity.WARNING and message not in complaints.warnings:
                complaints.warnings.append(message)

    return Logger()


def _make_monitor(trt: ModuleType, report: Report) -> Any:
    base: Any = trt.IProgressMonitor

    class Monitor(base):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._totals: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._totals[name] = steps
            report(name, 0, steps)

        def step_complete(self, name: str, step: int) -> bool:
            report(name, step + 1, self._totals.get(name, step + 1))
            return True  # go on

        def phase_finish(self, name: str) -> None:
            total = self._totals.pop(name, 0)
            report(name, total, total)

    return Monitor()


def _parser_errors(parser: Any) -> str:
    found = [parser.get_error(index) for index in range(parser.num_errors)]
    lines = [f'{error.node_name() or "graph"}: {error.desc()}' for error in found[:MOST_MESSAGES]]
    more = len(found) - MOST_MESSAGES
    return '; '.join(lines) + (f'; and {more} more' if more > 0 else '')


def _use_timing_cache(config: Any, content: bytes, complaints: Complaints) -> Any:
    """Begin with earlier times, or with none where they do not fit; None without a cache."""
    cache = config.create_timing_cache(content)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        if not content:
            return None
        complaints.warnings.append('the timing cache does not fit this TensorRT and GPU')
        complaints.errors.clear()  # the library calls it an error; the build goes on
        return _use_timing_cache(config, b'', complaints)
    return cache
