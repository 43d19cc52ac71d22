# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loads an engine, runs it once and ends: `python -m upsnet_ros.backends.engine_trial ENGINE`.

Exit status: 0 if it ran; 1 if not, with the reason on the standard error; 2 for a wrong command
line. A crash of TensorRT ends only this process.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
from collections.abc import Sequence

import numpy as np

from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.manifest import ModelManifest


def main(arguments: Sequence[str]) -> int:
    """Try the engine that the command line names; returns the exit status."""
    if len(arguments) != 1:
        print(
            f'engine_trial: received {len(arguments)} arguments, expected one, the path of an '
            'engine',
            file=sys.stderr,
        )
        return 2
    try:
        manifest = ModelManifest.load(arguments[0])
        backend = TensorRtBackend(arguments[0], manifest, trial_timeout_s=None)
        backend.infer(np.full((*backend.input_size, 3), 128, np.uint8))
        backend.close()
    except UpsnetError as error:
        print(f'engine_trial: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    faulthandler.enable()  # where it crashed is then in the log
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s')
    sys.exit(main(sys.argv[1:]))
