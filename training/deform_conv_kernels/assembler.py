# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Assembles PTX with the ``ptxas`` that comes with Triton: is it valid, what does it take."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from triton.backends.nvidia.compiler import get_ptxas

from training.deform_conv_kernels.ptx_text import PtxError

# Ampere (data centre), Orin, Ada, Hopper, Thor, Blackwell (desktop).
ARCHITECTURES = (80, 87, 89, 90, 110, 120)


@dataclass(frozen=True)
class Resources:
    """What a thread of an assembled kernel takes.

    Attributes:
        registers: 32-bit registers.
        spilled: Bytes that did not fit into registers, stored and loaded.
    """

    registers: int
    spilled: int


def assemble(text: str, architecture: int) -> Resources:
    """Assemble a text for one architecture.

    Args:
        text: PTX.
        architecture: Such as 87 for sm_87.

    Raises:
        PtxError: If ``ptxas`` refuses it.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / 'kernel.ptx'
        source.write_text(text)
        done = subprocess.run(
            [
                *(get_ptxas(architecture).path, '-v', f'-arch=sm_{architecture}'),
                *(str(source), '-o', str(source.with_suffix('.cubin'))),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    registers = re.search(r'Used (\d+) registers', done.stderr)
    spilled = re.search(r'(\d+) bytes spill stores, (\d+) bytes spill loads', done.stderr)
    if done.returncode or registers is None or spilled is None:
        raise PtxError(f'ptxas for sm_{architecture} says: {done.stderr.strip()}')
    return Resources(int(registers[1]), int(spilled[1]) + int(spilled[2]))


def assembler_version(architecture: int) -> str:
    """Version of the ``ptxas`` that assembles for this architecture, such as ``12.9``."""
    return str(get_ptxas(architecture).version)
