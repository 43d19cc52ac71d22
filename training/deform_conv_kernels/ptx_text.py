# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What TensorRT asks of a PTX text, and how Triton's text gets there.

TensorRT loads the text through the CUDA driver and passes inputs, scalars and outputs. Triton
adds two pointers behind them (scratch memory, unused here) that nobody would pass.
"""

import re

from upsnet_ros.core.errors import UpsnetError

TARGET = 'sm_80'  # the text runs on Ampere and everything later
# Driver of CUDA 12.5 and later: JetPack and desktop drivers of TensorRT 10.13 and 11 all know it.
PTX_VERSION = '8.5'
MAX_SHARED = 48 * 1024  # bytes that every GPU grants a kernel without being asked


class PtxError(UpsnetError):
    """A PTX text that TensorRT could not run, or would run wrongly."""


def strip_hidden_parameters(text: str, entry: str, count: int) -> str:
    """Cut the parameters behind the first ``count``.

    Args:
        text: PTX with one entry function.
        entry: Its name.
        count: Parameters to keep.

    Returns:
        The text with a shorter list of parameters.

    Raises:
        PtxError: If there are fewer, or the body uses one of those behind.
    """
    match = _parameter_list(text, entry)
    parameters = [part.strip() for part in match.group(1).split(',')]
    if len(parameters) < count:
        raise PtxError(f'{entry}: {len(parameters)} parameters, expected at least {count}')
    body = text[match.end() :]
    for hidden in (part.split()[-1] for part in parameters[count:]):
        if re.search(rf'\b{re.escape(hidden)}\b', body):
            raise PtxError(f'{entry}: the hidden parameter {hidden} is used; it cannot be cut')
    kept = ',\n'.join(f'\t{part}' for part in parameters[:count])
    return f'{text[: match.start(1)]}\n{kept}\n{text[match.end(1) :]}'


def check_text(
    text: str, *, entry: str, kinds: tuple[str, ...], threads: int, shared: int
) -> None:
    """Refuse a text that TensorRT could not launch.

    Args:
        text: PTX, hidden parameters cut.
        entry: Name of the function.
        kinds: Expected type of each parameter: ``u64`` for pointers, ``u32`` for scalars.
        threads: Expected block size.
        shared: Dynamic shared memory of a launch in bytes.

    Raises:
        PtxError: Naming what was found and what was expected.
    """
    match = _parameter_list(text, entry)
    found = tuple(re.findall(r'\.param\s+\.(\w+)', match.group(1)))
    _expect('parameters', found, kinds)
    _expect('.target', re.findall(r'^\.target (.+)$', text, re.M), [TARGET])
    _expect('.version', re.findall(r'^\.version (.+)$', text, re.M), [PTX_VERSION])
    _expect('.reqntid', re.findall(r'^\.reqntid (.+)$', text, re.M), [str(threads)])
    _expect('entry functions', re.findall(r'\.entry (\w+)', text), [entry])
    # Calls and memory of a thread's own would mean a compiler that gave up on registers.
    _expect('local memory', re.findall(r'\.local\b', text), [])
    _expect('calls', re.findall(r'^\s*call\b', text, re.M), [])
    if shared > MAX_SHARED:
        raise PtxError(f'{shared} bytes of shared memory, at most {MAX_SHARED}: use smaller tiles')


def _parameter_list(text: str, entry: str) -> re.Match[str]:
    match = re.search(rf'\.entry {re.escape(entry)}\((.*?)\)', text, re.S)
    if match is None:
        raise PtxError(f'no entry function {entry!r} in the PTX text')
    return match


def _expect(name: str, found: object, expected: object) -> None:
    if found != expected:
        raise PtxError(f'PTX text: {name} {found}, expected {expected}')
