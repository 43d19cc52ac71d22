# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes `import tensorrt` work in `.venv/tensorrt`, where TensorRT's builder is not installed.

NVIDIA's bindings ask for three libraries when they are loaded. A small library of ours
(`tensorrt_stub.c`) takes their names and hands plugin registry and runtime on to TensorRT's lean
library, so that a plugin meets NVIDIA's own registry. A module `tensorrt`, written beside the
bindings, loads these libraries and is then the bindings themselves.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from steps import SetupError, Step, fingerprint

SOURCE = Path(__file__).with_name('tensorrt_stub.c')
OLDER = Path(__file__).parent.parent / 'config' / 'versions_tensorrt_10.txt'
# The registry before those that are linked to it only to be there.
NAMES = ('libnvinfer', 'libnvinfer_plugin', 'libnvonnxparser')
LEAN_LIBRARY = 'tensorrt_lean_libs/libnvinfer_lean.so.*'
MODULE = '''"""TensorRT's bindings with the libraries of this folder; written by the set-up."""

import ctypes
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
for _name in {libraries}:
    ctypes.CDLL(str(_FOLDER / _name))  # not global: TensorRT-RTX has functions of the same names

import tensorrt_bindings

sys.modules[__name__] = tensorrt_bindings
'''


def find_c_compiler() -> str:
    """Path of a C compiler.

    Raises:
        SetupError: there is none.
    """
    named = os.environ.get('CC')
    for candidate in (*([named] if named else []), 'cc', 'gcc', 'clang'):
        path = shutil.which(candidate)
        if path:
            return path
    raise SetupError(
        'no C compiler was found; a small library for tests of the TensorRT plugin is compiled.\n'
        '  what to do: install one (gcc: package build-essential), or set CC.'
    )


def build_stub(site: Path, *, log_folder: Path) -> None:
    """Compiles the libraries and writes the module `tensorrt` beside NVIDIA's bindings.

    Args:
        site: the folder that the bindings and the lean library are installed in.
        log_folder: where stamp and log come.

    Raises:
        SetupError: there is no compiler, no lean library, or the compiler fails.
    """
    compiler = find_c_compiler()
    leans = sorted(site.glob(LEAN_LIBRARY))
    step = Step(
        f'TensorRT {leans[0].suffix[1:] if leans else "?"} stub',
        folder=log_folder,
        inputs=fingerprint(SOURCE, Path(__file__), compiler, *(str(lean) for lean in leans)),
        advice=f'read the log; to begin anew remove {site}.',
    )
    if step.is_done() and (site / 'tensorrt').is_dir():
        return
    step.begin()
    if len(leans) != 1:
        raise step.failure(f'one libnvinfer_lean.so was expected, {len(leans)} were found')
    write_module(step, compiler, leans[0])
    step.finish()


def write_module(step: Step, compiler: str, lean: Path) -> None:
    """Compiles the three libraries beside a module `tensorrt` that loads them."""
    folder = lean.parents[1] / 'tensorrt'
    folder.mkdir(exist_ok=True)
    major = lean.suffix
    libraries = [f'{name}.so{major}' for name in NAMES]
    for library in libraries:
        step.run(
            [
                *(compiler, '-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror'),
                *('-o', str(folder / library), str(SOURCE), f'-Wl,-soname,{library}'),
                *(f'-L{lean.parent}', '-Wl,--no-as-needed', f'-l:{lean.name}'),
                '-Wl,-rpath,$ORIGIN/../tensorrt_lean_libs',
            ]
        )
    (folder / '__init__.py').write_text(MODULE.format(libraries=libraries))


def install_older(folder: Path, *, python: Path) -> None:
    """Installs the older TensorRT's bindings and lean library into a folder of their own.

    Args:
        folder: put in front of the import path, it hides the newer ones.
        python: interpreter of the environment that the folder lies in.

    Raises:
        SetupError: the installation or the compilation failed.
    """
    step = Step(
        'TensorRT 10 bindings',
        folder=folder.parents[1],
        inputs=fingerprint(OLDER, python),
        advice='check the network and the package index of pip; then run the same command again.',
    )
    if not (step.is_done() and folder.is_dir()):
        step.begin()
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(python), '-m', 'pip', 'install', '--no-input', '--progress-bar=off']
        step.run([*pip, '--no-deps', '--target', str(folder), '--requirement', str(OLDER)])
        step.finish()
    build_stub(folder, log_folder=folder.parents[1])
