# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bags.small_drive import write_drive
from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live import session
from upsnet_ros.evaluation.live.commands import LiveOptions
from upsnet_ros.evaluation.live.live_run import live_speed
from upsnet_ros.evaluation.live.session import Played
from upsnet_ros.evaluation.live.tally import Counters, LiveTally, NodeCost, Sent
from upsnet_ros.evaluation.replay_report import CameraFigures

IMAGES = {'front': '/front/image_raw'}
OPTIONS = LiveOptions(bag=Path('bag'), model=Path('m.onnx'), output=Path('out'))


def frame(stamp: int) -> dict[str, object]:
    return {
        'event': 'frame',
        'topic': '/front/image_raw',
        'bag_stamp_ns': stamp - 100,
        'stamp_ns': stamp,
        'late_ms': 0.0,
    }


def message(event: str, stamp: int) -> dict[str, object]:
    topic = '/front/panoptic/image' if event == 'label' else '/front/image_raw'
    return {'event': event, 'topic': topic, 'stamp_ns': stamp, 'received_ns': stamp + 5}


def test_what_came_before_the_beginning_is_nobodys_answer() -> None:
    tally = LiveTally(IMAGES)
    for event in (message('label', 1), message('label', 2), message('image', 1)):
        tally.take(event)
    assert (tally.label_count, tally.sent_count, tally.seen_ns) == (2, 1, {'front': {1: 6}})
    tally.begin()
    assert (tally.label_count, tally.sent_count, tally.seen_ns) == (0, 0, {'front': {}})
    assert not tally.has_all_labels


def test_only_labels_of_images_that_were_sent_are_answers() -> None:
    tally = LiveTally(IMAGES)
    tally.begin()
    # Those of a frame that was in work, one twice, and one that is told of before its image.
    for event in (message('label', 3), frame(11), message('label', 11), message('label', 11)):
        tally.take(event)
    assert tally.has_all_labels
    tally.take(frame(12))
    assert tally.label_count > tally.sent_count and not tally.has_all_labels
    tally.take(message('label', 13))
    tally.take(message('label', 12))
    assert tally.has_all_labels
    tally.take(frame(13))
    assert tally.has_all_labels and tally.sent['front'][2] == Sent(-87, 13)


def test_a_stranger_does_not_hide_a_lost_label_and_one_look_is_no_work() -> None:
    tally = LiveTally(IMAGES)
    for event in (frame(11), frame(12), message('label', 3), message('label', 11)):
        tally.take(event)
    cost, counters = NodeCost(None, 0.0, 5_000_000), Counters(received=2, processed=2)
    happened = Played(tally, {'front': counters}, {}, cost, 1.0, None)
    total = CameraFigures.__new__(CameraFigures)
    object.__setattr__(total, 'decoded', 2)
    speed = live_speed(OPTIONS, happened, total)
    assert speed['lost_on_the_way'] == 1
    assert speed['node_cpu_percent'] is None and speed['node_cpu_ms_per_frame'] is None
    assert speed['node_peak_mb'] == 5.0


class QuietPlayer:
    """Says nothing for a number of looks, then plays one frame and ends."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def news(self) -> list[dict[str, object]]:
        self.looks -= 1
        return [frame(11), message('label', 11), {'event': 'done', 'sent': 1}] * (self.looks == 0)


class Clock:
    """Time that passes at each look, by ten seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ('rate', 'duration', 'looks', 'is_healthy'),
    [(0.01, None, 9, True), (0.01, None, 30, False), (1.0, None, 9, False), (0.01, 0.1, 9, False)],
)
def test_a_player_may_be_silent_as_long_as_the_bag_lasts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rate: float,
    duration: float | None,
    looks: int,
    is_healthy: bool,
) -> None:
    bag = write_drive(tmp_path / 'drive', frames=6, truth_every=3)  # half a second
    options = replace(OPTIONS, bag=bag, rate=rate, part=BagPart(duration_s=duration))
    camera = CameraTopics(name='front', images='/front/image_raw', truth=None)
    with BagReader(bag) as opened:
        replay = session.Session(options, opened, [camera], sha256='')
    clock = Clock()
    monkeypatch.setattr(session, 'time', clock)
    monkeypatch.setattr(replay, '_listen', lambda: setattr(clock, 'now', clock.now + 10.0))
    player = QuietPlayer(looks)
    if is_healthy:
        replay._follow(player, lambda *_, **told: None)
        assert replay._tally.has_all_labels
    else:
        with pytest.raises(ReplayError, match='player sent nothing'):
            replay._follow(player, lambda *_, **told: None)
