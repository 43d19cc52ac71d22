# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a camera that sends H.264 or H.265, by FFmpeg (PyAV, the optional package `av`).

A packet alone is no picture: it says what is new since the ones before. So each camera has a
decoder of its own, which must be given every packet in its order, also those whose pictures nobody
wants. It begins at a key frame (or where the stream has been refreshed piece by piece), and after
a loss it begins anew: what FFmpeg makes up for missing pictures is never shown.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.raw import check_image_size

# What messages call the two codecs: FFmpeg's encoders, GStreamer, the standards themselves.
_CODECS = {
    'h264': re.compile('.*(h264|x264|h.264|avc)', re.IGNORECASE),
    'hevc': re.compile('.*(h265|x265|h.265|hevc)', re.IGNORECASE),
}
_OTHER_VIDEO = re.compile('.*(av1|vp8|vp9|mpeg4|theora)', re.IGNORECASE)
_STILL = re.compile('.*(jpe?g|png|tiff)', re.IGNORECASE)
# By FFmpeg's number of a colour space, how much red and blue make up of brightness. BT.601 is that
# of standard definition, and of video without a word about it.
_BT601 = (0.299, 0.114)
_SHARES = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}  # BT.709, BT.2020
# FFmpeg's number, and older name, of brightness from 0 to 255, in place of 16 to 235.
_FULL_RANGE, _FULL_RANGE_FORMAT = 2, 'yuvj420p'
# The first libavcodec (of FFmpeg 8) that shows no H.265 picture that builds on a missing one.
_HEVC_SINCE = 62
_B_FRAMES = (
    'the video has B-frames, whose pictures come out of order and late; set the encoder to none '
    '(bframes=0, or tune zerolatency)'
)
_AGAIN = 'it is shown from the next key frame on'
_LONGEST_NAME, _LONGEST_REASON = 60, 160


@cache
def pyav() -> Any:
    """PyAV; None where it is not installed."""
    try:
        import av
    except ImportError:
        return None
    # What FFmpeg says would go through Python's logging, in the middle of decoding.
    av.logging.set_level(av.logging.PANIC)
    return av


class VideoMessage(Protocol):
    """A packet: CompressedImage, foxglove_msgs/CompressedVideo or FFMPEGPacket."""

    data: array[int] | np.ndarray


def video_codec(message: Any) -> str | None:
    """The codec of a message with video, by FFmpeg's name; None of any other message.

    Raises nothing: a codec that cannot be decoded is named as the message names it.
    """
    name = getattr(message, 'format', None)
    if name is None:
        # An FFMPEGPacket; of `encoding` the first of several names is that of the codec.
        name = message.encoding.split(';')[0] if hasattr(message, 'pts') else ''
    name = name[:_LONGEST_NAME]
    if not name or _STILL.match(name):
        return None
    for codec, pattern in _CODECS.items():
        if pattern.match(name):
            return codec
    return name if hasattr(message, 'pts') or _OTHER_VIDEO.match(name) else None


@dataclass(frozen=True)
class VideoPicture:
    """A decoded picture, which becomes an array only where it is wanted.

    Attributes:
        frame: of PyAV.
    """

    frame: Any

    def to_bgr(self) -> np.ndarray:
        """BGR uint8 [H, W, 3], C-contiguous."""
        frame, name = self.frame, self.frame.format.name
        is_usual = name in ('yuv420p', _FULL_RANGE_FORMAT)
        if not is_usual or frame.width % 2 or frame.height % 2:
            return np.ascontiguousarray(frame.to_ndarray(format='bgr24'))
        # PyAV before 16 heeds neither colour space nor range, and takes five times as long.
        shares = _SHARES.get(frame.colorspace, _BT601)
        is_full = name == _FULL_RANGE_FORMAT or frame.color_range == _FULL_RANGE
        if shares == _BT601 and not is_full:
            return cv2.cvtColor(frame.to_ndarray(), cv2.COLOR_YUV2BGR_I420)
        return _planes_to_bgr(frame.to_ndarray(), shares, is_full=is_full)


def _planes_to_bgr(
    planes: np.ndarray, shares: tuple[float, float], *, is_full: bool
) -> np.ndarray:
    """BGR of brightness and, behind it, two colours of half the size: uint8 [H * 3 / 2, W]."""
    height, width = len(planes) * 2 // 3, planes.shape[1]
    halves = planes[height:].reshape(2, height // 2, width // 2)
    colours = [cv2.resize(c, (width, height), interpolation=cv2.INTER_NEAREST) for c in halves]
    (red, blue), black = shares, 0 if is_full else 16
    bright, colour = (1.0, 1.0) if is_full else (255 / 219, 255 / 224)
    to_blue, to_red, green = 2 * (1 - blue) * colour, 2 * (1 - red) * colour, 1 - red - blue
    rows = np.array(
        [
            [bright, to_blue, 0],
            [bright, -blue * to_blue / green, -red * to_red / green],
            [bright, 0, to_red],
        ]
    )
    offsets = -rows @ (black, 128, 128)
    return cv2.transform(cv2.merge((planes[:height], *colours)), np.column_stack((rows, offsets)))


class VideoDecoder:
    """The decoder of one camera; used by one thread at a time."""

    def __init__(self) -> None:
        self._context: Any = None
        self._made_for: tuple[str, int] | None = None
        self._numbers = _PictureNumbers()
        self._sent = 0
        self._reason, self._is_shown = 'the video was joined in its middle', False

    def lose(self, reason: str) -> None:
        """Begins anew at the next key frame, as packets before the next one are missing."""
        self._reason, self._is_shown = reason, False
        self._numbers.forget()
        if self._context is not None:
            self._context.flush_buffers()

    def pass_by(self, message: VideoMessage, *, max_pixels: int) -> None:
        """Decodes a packet whose picture nobody wants, for the sake of those behind it."""
        try:
            self.decode(message, max_pixels=max_pixels)
        except ImageError:
            return  # those behind it will say what became of them

    def decode(self, message: VideoMessage, *, max_pixels: int) -> VideoPicture:
        """The picture of the next packet.

        Args:
            message: the packet that follows the last one.
            max_pixels: greatest allowed product of width and height.

        Raises:
            ImageError: it has no picture, or one that builds on what is missing; says why.
        """
        self._prepare(message, max_pixels)
        data = bytes(message.data)
        if self._made_for is not None and self._made_for[0] == 'h264':
            if self._numbers.has_gap(data):
                self.lose('packets of the video are missing')
        if not data:
            self.lose('a packet of the video is empty')
            raise ImageError(f'{self._reason}; {_AGAIN}')
        self._sent += 1
        av = pyav()
        try:
            packet = av.Packet(data)
            packet.pts = self._sent
            frames = self._context.decode(packet)
        except (av.error.FFmpegError, MemoryError, ValueError) as error:
            # With MemoryError FFmpeg also answers a picture of more pixels than are allowed.
            reason = str(getattr(error, 'strerror', None) or error)[:_LONGEST_REASON]
            if self._is_shown:
                self.lose(f'a packet of {len(data)} bytes cannot be decoded')
            raise ImageError(
                f'{self._reason}; {_AGAIN} ({reason}; expected a picture of at most {max_pixels} '
                'pixels in Annex B form in each message, and key frames with their parameter sets)'
            ) from error
        if self._context.has_b_frames or any(frame.pts != self._sent for frame in frames):
            # Or damage looked like them, and FFmpeg would wait for them for ever.
            self._made_for, self._reason, self._is_shown = None, _B_FRAMES, False
            raise ImageError(_B_FRAMES)
        if not frames:
            if self._is_shown:
                self._reason, self._is_shown = 'packets of the video are missing or damaged', False
            raise ImageError(f'{self._reason}; {_AGAIN}')
        frame = frames[-1]
        if frame.is_corrupt:
            self.lose(f'a packet of {len(data)} bytes is damaged')
            raise ImageError(f'{self._reason}; {_AGAIN}')
        self._is_shown = True
        check_image_size(frame.width, frame.height, max_pixels)
        return VideoPicture(frame)

    def _prepare(self, message: VideoMessage, max_pixels: int) -> None:
        """Makes a decoder, the first time and where codec or limit have changed."""
        codec = video_codec(message)
        if codec not in _CODECS:
            raise ImageError(f"video is '{codec}', expected H.264 or H.265 (h264, h265)")
        av = pyav()
        if av is None:
            raise ImageError(
                f'video ({codec}) needs PyAV, which is not installed: pip install av, or apt '
                'install python3-av'
            )
        version = av.library_versions['libavcodec'][0]
        if codec == 'hevc' and version < _HEVC_SINCE:
            raise ImageError(
                f'H.265 needs libavcodec {_HEVC_SINCE} (FFmpeg 8) or later, as an earlier one '
                f'shows what builds on lost packets; PyAV has {version}: pip install --upgrade av'
            )
        if self._made_for == (codec, max_pixels):
            return
        try:
            self._context = av.CodecContext.create(codec, 'r')
        except (av.error.FFmpegError, ValueError) as error:
            raise ImageError(
                f'the FFmpeg that PyAV was built with has no decoder of {codec}; pip install av '
                'brings one'
            ) from error
        self._context.options = {'max_pixels': str(max_pixels)}
        # Threads of whole pictures would each hold one back.
        self._context.thread_type, self._context.thread_count = 'SLICE', 2
        self._made_for = codec, max_pixels
        self._numbers.forget()


class _PictureNumbers:
    """Finds that pictures are missing in H.264, where FFmpeg fills the gap with copies unasked.

    Each picture has the number of the last one that others build on, plus one (`frame_num`,
    clause 7.4.3). H.265 needs none of this: FFmpeg shows nothing that builds on a missing picture.
    """

    def __init__(self) -> None:
        self._sets: dict[int, _SequenceSet] = {}
        self._set_of: dict[int, int] = {}
        self._last: int | None = None

    def forget(self) -> None:
        """Begins anew: the next picture may have any number."""
        self._last = None

    def has_gap(self, data: bytes) -> bool:
        """Whether pictures are missing between the last packet and this one.

        What cannot be read says nothing; the decoder will.
        """
        try:
            return self._looked_through(data)
        except IndexError:
            return False

    def _looked_through(self, data: bytes) -> bool:
        place = data.find(_START_CODE)
        while place >= 0:
            end = data.find(_START_CODE, place + 3)
            head = data[place + 3]
            unit = data[place + 4 : min(place + 4 + _LONGEST_HEAD, end if end > 0 else len(data))]
            kind = head & 31
            if kind == _SEQUENCE_SET:
                number, found = _read_sequence_set(_Bits(unit))
                self._sets[number] = found
            elif kind == _PICTURE_SET:
                bits = _Bits(unit)
                number = bits.exp_golomb()
                self._set_of[number] = bits.exp_golomb()
            elif kind in (_SLICE, _KEY_SLICE):
                return self._follows(unit, is_key=kind == _KEY_SLICE, is_built_on=bool(head & 96))
            place = end
        return False

    def _follows(self, unit: bytes, *, is_key: bool, is_built_on: bool) -> bool:
        """Whether the slice's picture leaves a gap behind the last one."""
        bits = _Bits(unit)
        bits.exp_golomb(), bits.exp_golomb()  # first macroblock, type
        known = self._sets.get(self._set_of.get(bits.exp_golomb(), -1))
        if known is None:
            return False
        bits.number(2 if known.has_separate_planes else 0)
        number, last = bits.number(known.number_bits), self._last
        if is_built_on:
            self._last = number
        if is_key or last is None or known.may_have_gaps:
            return False
        return number not in (last, (last + 1) % (1 << known.number_bits))


_START_CODE = b'\0\0\1'
_SLICE, _KEY_SLICE, _SEQUENCE_SET, _PICTURE_SET = 1, 5, 7, 8
_LONGEST_HEAD = 512
# Profiles whose parameter sets begin with what follows for them in clause 7.3.2.1.1.
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


@dataclass(frozen=True)
class _SequenceSet:
    """What of a sequence parameter set the numbers of pictures need."""

    number_bits: int
    may_have_gaps: bool
    has_separate_planes: bool


class _Bits:
    """Reads a unit bit by bit, without the bytes that keep start codes out of it.

    Every read raises IndexError behind the end.
    """

    def __init__(self, unit: bytes) -> None:
        self._data = unit.replace(b'\0\0\3', b'\0\0')
        self._place = 0

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            byte, bit = divmod(self._place, 8)
            value = value << 1 | self._data[byte] >> (7 - bit) & 1
            self._place += 1
        return value

    def exp_golomb(self) -> int:
        zeros = 0
        while not self.number(1):
            zeros += 1
        return (1 << zeros) - 1 + self.number(zeros)

    def signed_exp_golomb(self) -> int:
        value = self.exp_golomb()
        return (value + 1) // 2 if value % 2 else -value // 2


def _read_sequence_set(bits: _Bits) -> tuple[int, _SequenceSet]:
    """The number of a sequence parameter set, and the set (clause 7.3.2.1.1)."""
    profile = bits.number(8)
    bits.number(16)  # constraints, level
    set_number = bits.exp_golomb()
    has_separate_planes = False
    if profile in _HIGH_PROFILES:
        chroma = bits.exp_golomb()
        has_separate_planes = chroma == 3 and bool(bits.number(1))
        bits.exp_golomb(), bits.exp_golomb(), bits.number(1)  # depths, lossless
        if bits.number(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.number(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    number_bits = bits.exp_golomb() + 4
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.number(1), bits.exp_golomb(), bits.exp_golomb()
        for _ in range(bits.exp_golomb()):
            bits.exp_golomb()
    bits.exp_golomb()  # pictures that may be built on
    return set_number, _SequenceSet(number_bits, bool(bits.number(1)), has_separate_planes)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_exp_golomb()) % 256
        last = following or last
