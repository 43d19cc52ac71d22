# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""When loops are compiled, where what was compiled is kept, and how threads share rows."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
from numba.core import event

from tests.fakes.network_output import make_label_set, random_output
from tests.python_process import run_python
from upsnet_ros.core.compiled import pixel_loops, share_rows
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead

ROOT = Path(__file__).parents[2]
LOOP = """
from numba import types
from upsnet_ros.core.pixel_labels import compiled

@compiled(types.int64[::1], types.int64)
def fill(values, value):
    for index in range(len(values)):
        values[index] = value
"""


def test_without_numba_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'upsnet_ros.core.pixel_labels', raising=False)
    monkeypatch.delattr('upsnet_ros.core.pixel_labels', raising=False)
    monkeypatch.setitem(sys.modules, 'numba', None)
    with pytest.raises(ModelError, match='numba.*; install the Python package numba'):
        pixel_loops()


def import_file(path: Path) -> ModuleType:
    """Import a module under a name of its own, as a new process would."""
    specification = importlib.util.spec_from_file_location(f'loop_{os.urandom(4).hex()}', path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def assert_fills(module: ModuleType) -> None:
    values = np.zeros(5, dtype=np.int64)
    module.fill(values, 7)
    assert (values == 7).all()


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    path = tmp_path / 'loop.py'
    path.write_text(LOOP)
    return path


def kept_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob('*') if path.suffix in ('.nbi', '.nbc'))


# --- compiling


def test_nothing_is_compiled_once_the_loops_are_loaded() -> None:
    pixel_loops()
    label_set = make_label_set(3, 2)
    geometry = InputGeometry.fit(image_size=(70, 90), input_size=(64, 96))
    output = random_output(np.random.default_rng(0), label_set, geometry, count=4)
    odd = random_output(np.random.default_rng(1), label_set, geometry, count=2)
    for name in ('semantic_logits', 'boxes', 'scores', 'classes', 'mask_logits'):
        getattr(odd, name).setflags(write=False)
    strided = np.repeat(odd.semantic_logits, 2, axis=2)[:, :, ::2]
    object.__setattr__(odd, 'semantic_logits', strided)
    with event.install_recorder('numba:compile') as compiling:
        for resolution, unknown, rule, answer in itertools.product(
            ('input_frame', 'image'), (False, True), ('majority', 'detection'), (output, odd)
        ):
            PanopticHead(
                label_set,
                label_resolution=resolution,
                predict_unknown=unknown,
                instance_class=rule,
                num_threads=2,
            )(answer, geometry)
        assert compiling.buffer == []
        numba.njit(lambda: 1)()
        assert compiling.buffer != []  # it does hear of it


def test_a_pipeline_is_compiled_before_its_first_image() -> None:
    code = (
        'import numpy as np\n'
        'from tests.fakes.fake_backend import FakeBackend, make_manifest\n'
        'from upsnet_ros.pipeline import PanopticPipeline\n'
        'pipeline = PanopticPipeline(FakeBackend(), make_manifest())\n'
        'import sys\n'
        'from numba.core import event\n'
        'loaded = set(sys.modules)\n'
        'with event.install_recorder("numba:compile") as compiling:\n'
        '    pipeline.process(np.zeros((48, 64, 3), np.uint8))\n'
        'later = set(sys.modules) - loaded\n'
        'print(compiling.buffer, [name for name in later if "numba" in name])\n'
    )
    answer = run_python(code)
    assert (answer.stdout, answer.stderr) == ('[] []\n', '')


def test_what_was_compiled_is_kept_until_the_file_changes(loop: Path) -> None:
    assert_fills(import_file(loop))
    assert kept_files(loop.parent)
    again = import_file(loop)
    assert sum(again.fill.stats.cache_hits.values()) == 1
    loop.write_text(LOOP.replace('= value', '= value + 1'))
    values = np.zeros(5, dtype=np.int64)
    import_file(loop).fill(values, 7)
    assert (values == 8).all()


@pytest.mark.parametrize('suffix', ['.nbi', '.nbc'])
@pytest.mark.parametrize('content', [b'', b'damaged'])
def test_damaged_files_cost_only_time_and_it_is_said_how_to_save_it(
    loop: Path, suffix: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert_fills(import_file(loop))
    damaged = [path for path in kept_files(loop.parent) if path.suffix == suffix]
    for path in damaged:
        path.write_bytes(content)
    assert damaged and not caplog.messages
    assert_fills(import_file(loop))
    (message,) = caplog.messages
    assert 'compiled at every start' in message and 'NUMBA_CACHE_DIR' in message


def test_without_a_folder_to_write_to_it_is_compiled_each_time(
    loop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (loop.parent / '__pycache__').write_text('a file where numba wants a folder')
    (loop.parent / 'cache').write_text('and another')
    monkeypatch.setenv('XDG_CACHE_HOME', str(loop.parent / 'cache'))
    monkeypatch.setattr(numba.config, 'CACHE_DIR', str(loop.parent / 'cache'))
    module = import_file(loop)
    assert_fills(module)
    assert module.fill.stats.cache_path is None


def test_processes_may_compile_at_the_same_time(loop: Path) -> None:
    code = (
        'import sys, numpy; sys.path.insert(0, sys.argv[1]); sys.stdin.readline()\n'
        'import loop; values = numpy.zeros(3, int); loop.fill(values, 7); print(values.sum())'
    )
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', code, str(loop.parent)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write('go\n')
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ['21\n'] * 3
    assert_fills(import_file(loop))


# --- sharing rows


@pytest.mark.parametrize('num_threads', [1, 2, 5, 64])
@pytest.mark.parametrize('height', [1, 7, 100])
def test_each_row_is_worked_on_once(
    height: int, num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('upsnet_ros.core.compiled._PIXELS_PER_THREAD', 10)
    rows: list[int] = []
    share_rows(
        lambda first, last: rows.extend(range(first, last)), (height, 9), num_threads=num_threads
    )
    assert sorted(rows) == list(range(height))


def test_small_images_stay_in_the_calling_thread() -> None:
    threads = set()
    share_rows(lambda *_: threads.add(threading.get_ident()), (320, 640), num_threads=8)
    assert threads == {threading.get_ident()}


def test_large_images_are_shared() -> None:
    threads, met = set(), threading.Barrier(2)

    def work(first: int, last: int) -> None:
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            met.wait(timeout=60)

    share_rows(work, (1024, 2048), num_threads=2)
    assert len(threads) == 2


def test_busy_helpers_are_not_waited_for() -> None:
    # Every helper, and the caller, shares rows itself while none is free.
    inner: list[int] = []

    def work(first: int, last: int) -> None:
        share_rows(lambda *rows: inner.append(rows[1] - rows[0]), (1024, 2048), num_threads=4)

    share_rows(work, (4096, 4096), num_threads=4 * (os.cpu_count() or 1))
    assert sum(inner) % 1024 == 0 and inner


def test_a_thread_that_outlives_the_main_one_works_on_alone() -> None:
    code = (
        'import threading\n'
        'from upsnet_ros.core.compiled import share_rows\n'
        'def work():\n'
        '    threading.main_thread().join()\n'
        '    rows = []\n'
        '    share_rows(lambda a, b: rows.append(b - a), (1024, 2048), num_threads=2)\n'
        '    print(sum(rows), flush=True)\n'
        'threading.Thread(target=work).start()\n'
    )
    answer = run_python(code)
    assert (answer.stdout, answer.stderr) == ('1024\n', '')


def test_an_error_in_any_thread_reaches_the_caller() -> None:
    caller, met = threading.get_ident(), threading.Barrier(2)

    def work(first: int, last: int) -> None:
        if not met.broken:
            met.wait(timeout=60)
            met.abort()
        if threading.get_ident() != caller:
            raise ValueError('not here')

    with pytest.raises(ValueError, match='not here'):
        share_rows(work, (1024, 2048), num_threads=2)
