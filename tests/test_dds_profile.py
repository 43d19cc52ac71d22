# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile that the generator writes, against its arithmetic done by hand."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from upsnet_ros.dds_profile import (
    exported_profile,
    main,
    profile_sizes,
    profile_text,
    profile_variable,
)

ROOT = Path(__file__).parents[1]
OLD, NEW = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'
MIB = 2**20


def test_the_shipped_profile_is_what_the_generator_writes_without_arguments(capsys) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == (ROOT / 'config' / 'fastdds.xml').read_text()


@pytest.mark.parametrize(
    ('cameras', 'size', 'segment_mib', 'queue', 'container_mib'),
    [
        # 8 frames x 6 bytes x 2^21 pixels = 96 MiB = 1537 fragments of 65,500 bytes.
        (1, (2048, 1024), 96, 2048, 1024),
        (1, (1, 1), 96, 2048, 1024),
        # 8 x 6 x 4 x 2,073,600 = 398,131,200 bytes, in steps of 16 MiB; 6147 fragments.
        (4, (1920, 1080), 384, 8192, 7 * 384),
        # 8 x 6 x 8,294,400 = 398,131,200 bytes too: one camera of four times the pixels.
        (1, (3840, 2160), 384, 8192, 4 * 384),
    ],
)
def test_sizes_follow_cameras_and_pixels(cameras, size, segment_mib, queue, container_mib) -> None:
    sizes = profile_sizes(cameras=cameras, size=size)
    assert sizes.segment_bytes == segment_mib * MIB
    assert sizes.queue_capacity == queue
    assert sizes.container_bytes == container_mib * MIB


@pytest.mark.parametrize('cameras', [1, 2, 3, 7, 40])
def test_a_full_segment_fits_into_the_queue(cameras) -> None:
    sizes = profile_sizes(cameras=cameras, size=(1920, 1080))
    assert sizes.queue_capacity * 65_500 >= sizes.segment_bytes
    assert sizes.segment_bytes < 2**32
    assert sizes.message_bytes <= sizes.segment_bytes


def test_the_text_is_a_profile_with_these_sizes() -> None:
    root = ElementTree.fromstring(profile_text(cameras=4, size=(1920, 1080)).encode())
    space = {'dds': 'http://www.eprosima.com'}
    shared = root.find('.//dds:transport_descriptor', space)
    assert shared.findtext('dds:segment_size', namespaces=space) == str(384 * MIB)
    assert shared.findtext('dds:port_queue_capacity', namespaces=space) == '8192'
    assert 'for 4 cameras of 1920x1080' in profile_text(cameras=4, size=(1920, 1080))


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (['--cameras', '0'], '0 cameras'),
        (['--size', '1920'], "size '1920'"),
        (['--size', '0x10'], "size '0x10'"),
        (['--size', '1920x1080x3'], 'such as 1920x1080'),
        (['--cameras', '99', '--size', '7680x4320'], 'share the cameras among several nodes'),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(capsys, arguments, text) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert text in captured.err and captured.out == ''


@pytest.mark.parametrize(
    ('environment', 'variable', 'exported'),
    [
        ({}, NEW, ''),
        ({'ROS_DISTRO': 'jazzy', NEW: '/new.xml'}, OLD, ''),
        ({'ROS_DISTRO': 'jazzy', OLD: '/old.xml'}, OLD, '/old.xml'),
        ({'ROS_DISTRO': 'kilted', OLD: '/old.xml'}, NEW, '/old.xml'),
        ({OLD: '/old.xml', NEW: '/new.xml'}, NEW, '/new.xml'),
    ],
)
def test_the_variable_is_that_of_the_distribution(environment, variable, exported) -> None:
    assert profile_variable(environment) == variable
    assert exported_profile(environment) == exported
