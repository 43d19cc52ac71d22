# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fake CUDA runtime as the library that is imported."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tests.fakes.fake_cuda import FakeCuda


def import_fake_cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """Let `from cuda.bindings import runtime` give a new fake in this process, and return it."""
    cuda = FakeCuda()
    bindings = ModuleType('cuda.bindings')
    bindings.runtime = cuda
    monkeypatch.setitem(sys.modules, 'cuda', ModuleType('cuda'))
    monkeypatch.setitem(sys.modules, 'cuda.bindings', bindings)
    return cuda
