# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decodes random messages as the worker does: `python -m tests.images.fuzz_decoders SEED COUNT`.

A process of its own, so that its peak memory is that of the decoding and a crash is seen as one.
The last line of its output is a report in JSON; the exit code is 1 after the first message whose
outcome is neither an ImageError nor a picture.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.images.fuzzed_messages import MessageFuzzer
from tests.images.plain_messages import Compressed, Raw, compressed
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.messages import image_to_bgr
from upsnet_ros.images.raw import MAX_IMAGE_PIXELS

LARGEST = (4320, 7680)


def largest_files() -> Iterator[tuple[str, Compressed]]:
    """Files of the greatest allowed size, in the kinds that need the most memory."""
    picture = np.full((*LARGEST, 3), (10, 120, 240), np.uint8)
    full = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    for suffix, options in (
        ('.jpg', (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, *full)),
        ('.png', (cv2.IMWRITE_PNG_COMPRESSION, 1)),
    ):
        data = cv2.imencode(suffix, picture, options)[1]
        yield 'largest file', compressed(data.tobytes(), suffix)


def outcome(message: Raw | Compressed) -> str:
    """What became of a message: 'refused' or 'decoded'; anything else is an AssertionError."""
    try:
        image = image_to_bgr(message)
    except ImageError as error:
        assert 10 < len(str(error)) < 6000
        return 'refused'
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert image.flags.c_contiguous and 0 < image.size <= 3 * MAX_IMAGE_PIXELS
    if isinstance(message, Raw):
        assert image.shape[:2] == (message.height, message.width)
    return 'decoded'


def peak_mib() -> float:
    """The most memory that this process has had.

    Not getrusage's, which counts that of the process which started this one, too.
    """
    lines = Path('/proc/self/status').read_text().splitlines()
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith('VmHWM:'))
    return int(kibibytes) / 1024


def main(seed: int, count: int) -> int:
    """Decodes `count` random messages, then the largest files; returns the exit code."""
    fuzzer = MessageFuzzer(seed)
    outcomes, slowest_ms = Counter(), 0.0
    fuzzer_mib = peak_mib()
    for index in range(count):
        kind, message = fuzzer.message(index)
        start = time.thread_time()
        try:
            outcomes[f'{kind} {outcome(message)}'] += 1
        except Exception as error:
            print(f'message {index} of seed {seed} ({kind}): {type(error).__name__}: {error}')
            return 1
        slowest_ms = max(slowest_ms, (time.thread_time() - start) * 1e3)
    small_mib = peak_mib()
    for kind, message in largest_files():
        outcomes[f'{kind} {outcome(message)}'] += 1
    report = {
        'outcomes': outcomes,
        'slowest_ms': slowest_ms,
        'growth_mib': small_mib - fuzzer_mib,
        'peak_mib': peak_mib(),
    }
    print(json.dumps(report))
    return 0


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
