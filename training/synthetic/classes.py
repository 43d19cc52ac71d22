# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The 19 classes the street is made of, by their train ids in the Cityscapes label set."""

from upsnet_ros.core.labels import cityscapes_label_set

LABEL_SET = cityscapes_label_set()
_ID = {entry.name: entry.train_id for entry in LABEL_SET.classes}

ROAD, SIDEWALK, BUILDING = _ID['road'], _ID['sidewalk'], _ID['building']
WALL, FENCE, POLE = _ID['wall'], _ID['fence'], _ID['pole']
TRAFFIC_LIGHT, TRAFFIC_SIGN = _ID['traffic light'], _ID['traffic sign']
VEGETATION, TERRAIN, SKY = _ID['vegetation'], _ID['terrain'], _ID['sky']
PERSON, RIDER, CAR, TRUCK = _ID['person'], _ID['rider'], _ID['car'], _ID['truck']
BUS, TRAIN, MOTORCYCLE, BICYCLE = _ID['bus'], _ID['train'], _ID['motorcycle'], _ID['bicycle']

FIRST_THING = LABEL_SET.num_stuff
