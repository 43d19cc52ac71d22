# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the Fast DDS profile with which camera images arrive, for the cameras of a vehicle.

    python -m upsnet_ros.dds_profile --cameras 4 --size 1920x1080 > profile.xml

`config/fastdds.xml` is what this writes without arguments. It needs no ROS and no library, so that
the launch files and the doctor can ask it too.

The arithmetic: the process that sends most is the node. For each pixel of each camera it sends up
to 6 bytes (label image 2, classes 1, overlay 3), which is also what two drivers of colour images
send. 8 frames of every camera may be in flight: a quarter of a second at 30 Hz in which a reader
may do something else. One camera of 2048x1024 makes 8 x 2^21 x 6 bytes, 96 MiB, which is also the
least. Fast DDS cuts every message into fragments of its smallest transport, 65,500 bytes of UDP,
even where they travel through shared memory; each takes a place in the reader's queue, so the
queue has a place for every fragment of a full segment.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from upsnet_ros.core.errors import ParameterError

# Fast DDS 3 (Kilted) renamed the variable and warns of the old name.
VARIABLE_SINCE_THREE = 'FASTDDS_DEFAULT_PROFILES_FILE'
VARIABLE_BEFORE_THREE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
BEFORE_THREE_DISTRIBUTIONS = ('humble', 'jazzy')

MIB = 2**20
DEFAULT_CAMERAS = 1
DEFAULT_SIZE = (2048, 1024)
BYTES_PER_PIXEL = 6
FRAMES_IN_FLIGHT = 8
LEAST_SEGMENT = 96 * MIB
SEGMENT_STEP = 16 * MIB
LEAST_CONTAINER = 1024 * MIB
# Fast DDS keeps both sizes in 32 bits.
LARGEST_SEGMENT = 2**32 - SEGMENT_STEP
LARGEST_MESSAGE = 32 * MIB
FRAGMENT_BYTES = 65_500
_SIZE = re.compile(r'([1-9][0-9]{0,4})x([1-9][0-9]{0,4})')

_PROFILE = Template("""\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Copyright 2026 The upsnet_ros authors -->
<!-- SPDX-License-Identifier: Apache-2.0 -->
<!--
  Fast DDS profile for camera images (Fast DDS 2 and 3; ROS 2 Jazzy and Kilted).
  Written by python -m upsnet_ros.dds_profile for $cameras of ${width}x$height.

  As it comes, Fast DDS gives a process 512 KiB of shared memory for all it sends. An image larger
  than that overruns the segment, and with best effort none arrives whole. Here one process may
  have $segment_mib MiB in flight: $frames frames of each camera at 6 bytes per pixel, as the node
  sends them (labels 2, classes 1, overlay 3; a colour image has 3). Each process that loads this
  file takes that much of /dev/shm for as long as it runs. A container needs $container_mib MiB of
  it (a driver per camera, the node, two subscribers); Docker gives 64.

  Messages travel in fragments of 65,500 bytes, and the queue of a reader has a place for each one
  of a full segment: with the usual 512 places it would overflow after five images of 6 MB.

  UDP stays for other hosts. Participants announce themselves often at first: one announcement
  that is lost while a process starts otherwise costs the three seconds to the next.
-->
<dds xmlns="http://www.eprosima.com">
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>upsnet_shared_memory</transport_id>
        <type>SHM</type>
        <segment_size>$segment_bytes</segment_size>
        <maxMessageSize>$message_bytes</maxMessageSize>
        <port_queue_capacity>$queue_capacity</port_queue_capacity>
      </transport_descriptor>
      <transport_descriptor>
        <transport_id>upsnet_udp</transport_id>
        <type>UDPv4</type>
        <sendBufferSize>4194304</sendBufferSize>
        <receiveBufferSize>4194304</receiveBufferSize>
        <non_blocking_send>true</non_blocking_send>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="upsnet_participant" is_default_profile="true">
      <rtps>
        <userTransports>
          <transport_id>upsnet_shared_memory</transport_id>
          <transport_id>upsnet_udp</transport_id>
        </userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
        <builtin>
          <discovery_config>
            <initialAnnouncements>
              <count>40</count>
              <period>
                <nanosec>50000000</nanosec>
              </period>
            </initialAnnouncements>
            <leaseAnnouncement>
              <sec>1</sec>
            </leaseAnnouncement>
          </discovery_config>
        </builtin>
      </rtps>
    </participant>
  </profiles>
</dds>
""")


@dataclass(frozen=True, kw_only=True)
class ProfileSizes:
    """Shared memory that the images of some cameras need.

    Attributes:
        segment_bytes: memory for all that one process has in flight.
        message_bytes: largest message.
        queue_capacity: fragments that may wait for one reading process.
        container_bytes: /dev/shm for a driver per camera, the node and two subscribers.
    """

    segment_bytes: int
    message_bytes: int
    queue_capacity: int
    container_bytes: int


def profile_sizes(
    *, cameras: int = DEFAULT_CAMERAS, size: tuple[int, int] = DEFAULT_SIZE
) -> ProfileSizes:
    """The arithmetic of this module.

    Args:
        cameras: number of cameras that one process may carry, at least 1.
        size: width and height of their images [pixels].

    Raises:
        ParameterError: a number is not positive, or Fast DDS could not hold the segment.
    """
    width, height = size
    if cameras < 1 or width < 1 or height < 1:
        raise ParameterError(
            f'{cameras} cameras of {width}x{height}, expected at least one camera of 1x1'
        )
    wanted = FRAMES_IN_FLIGHT * BYTES_PER_PIXEL * cameras * width * height
    segment = max(LEAST_SEGMENT, -(-wanted // SEGMENT_STEP) * SEGMENT_STEP)
    if segment > LARGEST_SEGMENT:
        raise ParameterError(
            f'{cameras} cameras of {width}x{height} need {segment // MIB} MiB of shared memory in '
            f'one process, expected at most {LARGEST_SEGMENT // MIB}, the most of Fast DDS; share '
            'the cameras among several nodes, or send compressed images'
        )
    queue = 1 << (segment // FRAGMENT_BYTES).bit_length()
    return ProfileSizes(
        segment_bytes=segment,
        message_bytes=LARGEST_MESSAGE,
        queue_capacity=queue,
        container_bytes=max((cameras + 3) * segment, LEAST_CONTAINER),
    )


def profile_text(*, cameras: int = DEFAULT_CAMERAS, size: tuple[int, int] = DEFAULT_SIZE) -> str:
    """The profile as XML.

    Args:
        cameras: number of cameras that one process may carry, at least 1.
        size: width and height of their images [pixels].

    Raises:
        ParameterError: as of `profile_sizes`.
    """
    sizes = profile_sizes(cameras=cameras, size=size)
    width, height = size
    return _PROFILE.substitute(
        cameras='one camera' if cameras == 1 else f'{cameras} cameras',
        width=width,
        height=height,
        frames=FRAMES_IN_FLIGHT,
        segment_mib=sizes.segment_bytes // MIB,
        segment_bytes=sizes.segment_bytes,
        message_bytes=sizes.message_bytes,
        queue_capacity=sizes.queue_capacity,
        container_mib=sizes.container_bytes // MIB,
    )


def heeded_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that this ROS distribution's Fast DDS takes its profile from, in its order."""
    if environment.get('ROS_DISTRO', '').strip() in BEFORE_THREE_DISTRIBUTIONS:
        return (VARIABLE_BEFORE_THREE,)
    return (VARIABLE_SINCE_THREE, VARIABLE_BEFORE_THREE)


def profile_variable(environment: Mapping[str, str]) -> str:
    """Name of the variable to set for it."""
    return heeded_variables(environment)[0]


def exported_profile(environment: Mapping[str, str]) -> str:
    """The profile that the user has exported; empty for none."""
    return next(filter(None, (environment.get(v) for v in heeded_variables(environment))), '')


def read_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 1920x1080.

    Raises:
        ParameterError: the text is no size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ParameterError(f"size '{text}', expected width and height, such as 1920x1080")
    return int(match[1]), int(match[2])


def main(arguments: list[str] | None = None) -> int:
    """Prints a profile; the exit status is 2 where there can be none."""
    parser = argparse.ArgumentParser(
        prog='python -m upsnet_ros.dds_profile',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--cameras', type=int, default=DEFAULT_CAMERAS, help='(default: 1)')
    parser.add_argument('--size', default='2048x1024', help='of their images (default: 2048x1024)')
    options = parser.parse_args(arguments)
    try:
        print(profile_text(cameras=options.cameras, size=read_size(options.size)), end='')
    except ParameterError as error:
        print(f'dds_profile: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
