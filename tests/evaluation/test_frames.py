# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame, join_by_stamp


def sent(*stamps: int) -> list[SentFrame]:
    return [SentFrame(i, 7, stamp) for i, stamp in enumerate(stamps)]


def test_nothing_sent_and_nothing_received() -> None:
    joined = join_by_stamp([], [])
    assert (joined.sent, joined.labelled, joined.dropped) == (0, 0, 0)


def test_one_frame_is_joined_with_its_latency() -> None:
    joined = join_by_stamp(sent(1_000_000), [ReceivedLabel(1_000_000, 3_500_000)])
    assert joined.outcomes[0].latency_ms == 2.5
    assert (joined.sent, joined.labelled, joined.dropped) == (1, 1, 0)


def test_labels_out_of_order_find_their_frames_and_a_missing_one_is_dropped() -> None:
    labels = [ReceivedLabel(30, 31), ReceivedLabel(10, 12)]
    joined = join_by_stamp(sent(10, 20, 30), labels)
    assert [o.received_ns for o in joined.outcomes] == [12, None, 31]
    assert [o.latency_ms is None for o in joined.outcomes] == [False, True, False]
    assert (joined.labelled, joined.dropped) == (2, 1)


def test_stamps_one_nanosecond_apart_are_strangers() -> None:
    joined = join_by_stamp(sent(10), [ReceivedLabel(11, 12), ReceivedLabel(9, 12)])
    assert (joined.dropped, joined.strangers) == (1, 2)


def test_a_second_label_of_a_frame_is_counted_and_the_first_one_stays() -> None:
    joined = join_by_stamp(sent(10), [ReceivedLabel(10, 12), ReceivedLabel(10, 99)])
    assert (joined.duplicates, joined.outcomes[0].received_ns) == (1, 12)


def test_repeated_stamps_among_the_frames_are_refused() -> None:
    with pytest.raises(ValueError, match='2 frames were sent with 1 different stamps'):
        join_by_stamp(sent(10, 10), [])
