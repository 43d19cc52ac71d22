# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration of resized images, against OpenCV's projection and resizing."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from upsnet_ros.node.calibration import describes, resized_calibration

K = np.array([[400.0, 0.0, 310.0], [0.0, 380.0, 250.0], [0.0, 0.0, 1.0]])
DISTORTION = [0.05, -0.02, 0.001, 0.002, 0.0]
POINTS = np.array([[0.0, 0.0, 2.0], [0.5, 0.3, 2.0], [-0.4, -0.35, 1.5]])


def calibration(**fields) -> CameraInfo:
    projection = np.hstack([K, [[-40.0], [0.0], [0.0]]])
    values = {'width': 640, 'height': 480, 'd': DISTORTION, **fields}
    return CameraInfo(distortion_model='plumb_bob', k=K.ravel(), p=projection.ravel(), **values)


def projected(info: CameraInfo) -> np.ndarray:
    """Where OpenCV sees the points, in pixels, [N, 2]."""
    zero = np.zeros(3)
    pixels, _ = cv2.projectPoints(POINTS, zero, zero, np.reshape(info.k, (3, 3)), np.array(info.d))
    return pixels.reshape(-1, 2)


def blob(size: tuple[int, int], centre: np.ndarray) -> np.ndarray:
    """A picture with one bright spot, float32 [H, W]."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 12.0**2))


def centroid(picture: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(x * picture).sum(), (y * picture).sum()]) / picture.sum()


@pytest.mark.parametrize('new_size', [(240, 320), (120, 160), (48, 64), (160, 480)])
def test_points_are_projected_to_where_resizing_moves_them(new_size) -> None:
    info = calibration()
    resized = resized_calibration(info, image_size=(480, 640), new_size=new_size)
    assert (resized.height, resized.width) == new_size
    for before, after in zip(projected(info), projected(resized), strict=True):
        picture = cv2.resize(
            blob((480, 640), before), new_size[::-1], interpolation=cv2.INTER_AREA
        )
        np.testing.assert_allclose(centroid(picture), after, atol=0.02)


def test_a_region_and_binning_are_worked_in() -> None:
    roi = RegionOfInterest(x_offset=101, y_offset=61, width=400, height=300, do_rectify=True)
    info = calibration(binning_x=2, binning_y=2, roi=roi)
    resized = resized_calibration(info, image_size=(150, 200), new_size=(75, 100))
    point = projected(info)[1]
    read_out = blob((480, 640), point)[61:361, 101:501]
    binned = cv2.resize(read_out, (200, 150), interpolation=cv2.INTER_AREA)
    small = cv2.resize(binned, (100, 75), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(centroid(small), projected(resized)[1], atol=0.02)
    assert (resized.binning_x, resized.binning_y) == (0, 0)
    assert resized.roi == RegionOfInterest(do_rectify=True)
    assert info.binning_x == 2 and info.roi.width == 400 and info.k[0] == 400.0


def test_the_base_line_scales_and_the_distortion_stays() -> None:
    resized = resized_calibration(calibration(), image_size=(480, 640), new_size=(120, 320))
    assert resized.p[3] == -20.0 and resized.p[7] == 0.0
    assert (resized.p[0], resized.p[5], resized.p[10]) == (200.0, 95.0, 1.0)
    assert list(resized.d) == DISTORTION
    assert list(resized.r) == list(calibration().r)


def test_a_camera_without_calibration_stays_without() -> None:
    resized = resized_calibration(CameraInfo(), image_size=(480, 640), new_size=(240, 320))
    assert not np.any(resized.k) and not np.any(resized.p)


@pytest.mark.parametrize(
    ('fields', 'size', 'expected'),
    [
        ({}, (480, 640), True),
        ({}, (640, 480), False),
        ({}, (479, 640), False),
        ({'width': 0, 'height': 0}, (7, 9), True),
        ({'binning_x': 2, 'binning_y': 2}, (240, 320), True),
        ({'binning_x': 2, 'binning_y': 2}, (480, 640), False),
        ({'binning_x': 1, 'binning_y': 1}, (480, 640), True),
        ({'binning_x': 3, 'binning_y': 3}, (160, 213), True),
        ({'binning_x': 3, 'binning_y': 3}, (160, 214), True),
        ({'binning_x': 3, 'binning_y': 3}, (160, 212), False),
        ({'roi': RegionOfInterest(x_offset=5, width=64, height=32)}, (32, 64), True),
        ({'roi': RegionOfInterest(x_offset=5, width=64, height=32)}, (480, 640), False),
        (
            {'roi': RegionOfInterest(width=64, height=32), 'binning_x': 2, 'binning_y': 4},
            (8, 32),
            True,
        ),
    ],
)
def test_a_calibration_belongs_to_images_of_its_size(fields, size, expected) -> None:
    assert describes(calibration(**fields), size) is expected
