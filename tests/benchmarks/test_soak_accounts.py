# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of the soak that are not accounted for."""

from benchmarks.node_parts.soak_accounts import COUNTED, Accounts


def accounts(*, sent: int, labels: int, **counted: int) -> Accounts:
    found = Accounts()
    found.sent = sent
    found.read['labels'] = labels
    found.add_status({name: str(counted.get(name, 0)) for name in COUNTED})
    return found


def test_every_image_answered_adds_up() -> None:
    assert accounts(sent=7, labels=7, processed=7, received=7).failures() == []


def test_images_that_the_node_counts_as_lost_add_up() -> None:
    found = accounts(sent=10, labels=6, received=10, processed=6, dropped=3, rejected=1)
    assert found.lost == 4
    assert found.failures() == []


def test_an_image_that_nobody_counts_is_missed() -> None:
    (failure,) = accounts(sent=8, labels=7, received=7, processed=7).failures()
    assert '8 images were sent' in failure and '7 processed and 0 lost' in failure


def test_an_answer_that_does_not_arrive_is_missed() -> None:
    (failure,) = accounts(sent=7, labels=6, received=7, processed=7).failures()
    assert '6 label images were read' in failure


def test_an_output_of_which_nothing_is_read_is_named() -> None:
    found = accounts(sent=1, labels=1, processed=1)
    found.read['overlays'] = 0
    assert found.failures() == ['no overlays were read']


def test_counters_of_cameras_and_activations_add_up() -> None:
    found = accounts(sent=5, labels=5, processed=2, received=2)
    found.add_status({name: '3' if name in ('processed', 'received') else '0' for name in COUNTED})
    assert found.failures() == []
    assert found.as_fields()['counted']['processed'] == 5
