# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random image messages, from sound to absurd, the same for the same seed."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable

import cv2
import numpy as np

from tests.images.plain_messages import Compressed, Raw, compressed
from upsnet_ros.images.raw import LAYOUTS

PNG_START = b'\x89PNG\r\n\x1a\n'
FOREIGN_STARTS = (
    b'RIFF\x40\0\0\0WEBPVP8L',
    b'II*\0\x08\0\0\0',
    b'MM\0*\0\0\0\x08',
    b'GIF89a\xff\xff\xff\xff',
    b'BM\xff\xff\xff\x7f\0\0\0\0',
    b'\0\0\0\x0cjP  \r\n\x87\n',
    b'\0\0\0\x1cftypavif',
    b'P6 99999 99999 255\n',
    b'v/1\x01\x02\0\0\0',
    b'#?RADIANCE\n',
    b'%PDF-1.7',
)
FOREIGN_ENCODINGS = ('', '16UC1', '32FC1', '64FC4', 'nv24', 'BGR 8', 'bgr8 ', 'b' * 5000, 'ünï')
EDGES_32_BITS = (0, 1, 2, 3, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
EDGES_16_BITS = (0, 1, 7, 255, 256, 32000, 32767, 32768, 65500, 65535)
JPEG_OPTIONS = (
    (),
    (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    (cv2.IMWRITE_JPEG_RST_INTERVAL, 3),
    (cv2.IMWRITE_JPEG_QUALITY, 20, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)


class MessageFuzzer:
    """Makes messages one after another.

    Args:
        seed: the same seed gives the same messages.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._jpegs = [
            cv2.imencode('.jpg', self._picture(size, grey), options)[1].tobytes()
            for options in JPEG_OPTIONS
            for size, grey in (((40, 56), False), ((17, 9), False), ((33, 64), True))
        ]
        self._pngs = [
            cv2.imencode('.png', self._picture(size, grey).astype(kind))[1].tobytes()
            for size, grey in (((24, 31), False), ((9, 17), True))
            for kind in (np.uint8, np.uint16)
        ]
        self._tiffs = [
            cv2.imencode('.tiff', self._picture(size, grey).astype(kind), options)[1].tobytes()
            for size, grey in (((24, 31), False), ((9, 17), True))
            for kind in (np.uint8, np.uint16)
            for options in ((), (cv2.IMWRITE_TIFF_COMPRESSION, 8))
        ]
        self.kinds: dict[str, Callable[[], Raw | Compressed]] = {
            'sound raw': self._sound_raw,
            'altered raw': self._altered_raw,
            'sound file': lambda: self._packed(
                self._pick((*self._jpegs, *self._pngs, *self._tiffs))
            ),
            'altered jpeg': lambda: self._packed(self._altered(self._pick(self._jpegs))),
            'lying jpeg': self._lying_jpeg,
            'altered png': lambda: self._packed(self._altered(self._pick(self._pngs))),
            'altered tiff': lambda: self._packed(self._altered(self._pick(self._tiffs))),
            'lying tiff': self._lying_tiff,
            'resealed png': self._resealed_png,
            'rubbish': self._rubbish,
        }

    def message(self, index: int) -> tuple[str, Raw | Compressed]:
        """The next message and what kind it is; the kinds come in turn."""
        kind = list(self.kinds)[index % len(self.kinds)]
        return kind, self.kinds[kind]()

    # --- raw

    def _sound_raw(self) -> Raw:
        """Size, step and data that fit together, but for sides that an encoding cannot have."""
        encoding = self._pick(tuple(LAYOUTS))
        height, width = (int(side) for side in self._random.integers(1, 48, 2))
        layout = LAYOUTS[encoding]
        step = layout.row_bytes(width) + self._pick((0, 0, 1, 3, 64))
        return Raw(
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=self._below(2),
            step=step,
            data=self._array(step * layout.rows(height)),
        )

    def _altered_raw(self) -> Raw:
        """One to three fields of a sound message replaced."""
        message = self._sound_raw()
        for _ in range(1 + self._below(3)):
            field = self._pick(('height', 'width', 'step', 'data', 'encoding', 'is_bigendian'))
            value = getattr(message, field)
            if field == 'data':
                value = self._array(self._below(2 * len(value) + 2))
            elif field == 'encoding':
                value = self._pick((*LAYOUTS, *FOREIGN_ENCODINGS))
            elif field == 'is_bigendian':
                value = self._below(256)
            elif self._below(2):
                value = self._pick(EDGES_32_BITS)
            else:
                value = max(value + self._pick((-2, -1, 1, 2)), 0)
            setattr(message, field, value)
        return message

    # --- files

    def _packed(self, data: bytes) -> Compressed:
        formats = ('jpeg', 'png', 'bgr8; jpeg compressed bgr8', '16UC1; compressedDepth', '', '\n')
        return compressed(data, self._pick(formats))

    def _altered(self, data: bytes) -> bytes:
        """A file with bytes changed, lost, doubled, put in, exchanged or cut off."""
        for _ in range(1 + self._below(4)):
            start = self._below(max(len(data), 1))
            end = start + 1 + self._below(self._pick((1, 4, 64, 4096)))
            data = self._pick(
                (
                    data[:start],
                    data[:start] + self._bytes(1).tobytes() + data[start + 1 :],
                    data[:start] + self._bytes(end - start).tobytes() + data[end:],
                    data[:start] + data[end:],
                    data[:end] + data[start:],
                    data[:start] + b'\xff' + data[start:],
                    data[:start] + bytes(end - start) + data[end:],
                    data[:start] + self._pick(self._jpegs)[start:],
                )
            )
        return data

    def _lying_jpeg(self) -> Compressed:
        """A sound file whose header claims another size, depth or number of components."""
        data = bytearray(self._pick(self._jpegs))
        frame = max(data.find(b'\xff\xc0'), data.find(b'\xff\xc2'))
        for side in (frame + 5, frame + 7):
            if self._below(3):
                value = self._pick((*EDGES_16_BITS, self._below(2000), self._below(65536)))
                data[side : side + 2] = int(value).to_bytes(2, 'big')
        for place in (1, 3, 4, 9, 11):
            if not self._below(6):
                data[frame + place] = self._below(256)
        return self._packed(bytes(data))

    def _lying_tiff(self) -> Compressed:
        """A sound file of which entries of the directory claim something else."""
        data = bytearray(self._pick(self._tiffs))
        place = int.from_bytes(data[4:8], 'little')
        entries = int.from_bytes(data[place : place + 2], 'little')
        for _ in range(1 + self._below(2)):
            entry = place + 2 + 12 * self._below(entries)
            part, size = self._pick(((0, 2), (2, 2), (4, 4), (8, 4), (8, 2)))
            value = self._pick((*EDGES_32_BITS, *EDGES_16_BITS, self._below(400)))
            data[entry + part : entry + part + size] = value.to_bytes(4, 'little')[:size]
        return self._packed(bytes(data))

    def _resealed_png(self) -> Compressed:
        """A damaged file whose checksums are right, so that the damage reaches the decoder."""
        data = self._pick(self._pngs)
        position, parts = len(PNG_START), [PNG_START]
        while position < len(data):
            length = int.from_bytes(data[position : position + 4], 'big')
            body = bytearray(data[position + 4 : position + 8 + length])
            if length and not self._below(2):
                for _ in range(1 + self._below(3)):
                    body[4 + self._below(length)] = self._below(256)
            if not self._below(12):
                length = self._pick(EDGES_32_BITS)
            parts += [length.to_bytes(4, 'big'), body, zlib.crc32(body).to_bytes(4, 'big')]
            position += 12 + len(body) - 4
        return self._packed(b''.join(parts))

    def _rubbish(self) -> Compressed:
        """Noise behind the first bytes of anything, or of nothing."""
        start = self._pick((*FOREIGN_STARTS, PNG_START, b'\xff\xd8\xff', b'', b'\0'))
        return self._packed(start + self._bytes(self._below(2000)).tobytes())

    # --- chance

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))

    def _pick(self, values: tuple | list) -> object:
        return values[self._below(len(values))]

    def _bytes(self, count: int) -> np.ndarray:
        return self._random.integers(0, 256, count, np.uint8)

    def _array(self, count: int) -> array[int]:
        return array('B', self._bytes(count).tobytes())

    def _picture(self, size: tuple[int, int], grey: bool) -> np.ndarray:
        shape = size if grey else (*size, 3)
        return cv2.GaussianBlur(self._random.integers(0, 256, shape, np.uint8), (0, 0), 1.5)
