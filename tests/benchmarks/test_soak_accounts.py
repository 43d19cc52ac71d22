# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of the soak that are not accounted for."""

import pytest

from benchmarks.node_parts.soak_accounts import COUNTED, Accounts


def accounts(*, sent: int, labels: int, **counted: int) -> Accounts:
    found = Accounts()
    found.sent = sent
    found.read['labels'] = labels
    found.add_status({name: str(counted.get(name, 0)) for name in COUNTED})
    return found


@pytest.mark.parametrize(
    ('counts', 'missing'),
    [
        ({'sent': 7, 'labels': 7, 'processed': 7}, []),
        ({'sent': 10, 'labels': 6, 'processed': 6, 'dropped': 3, 'rejected': 1}, []),
        (
            {'sent': 8, 'labels': 7, 'processed': 7},
            ['8 images were sent', '7 processed and 0 lost'],
        ),
        ({'sent': 7, 'labels': 6, 'processed': 7}, ['6 label images were read']),
    ],
)
def test_images_add_up_or_are_missed(counts: dict[str, int], missing: list[str]) -> None:
    received = counts['processed'] + counts.get('dropped', 0) + counts.get('rejected', 0)
    found = accounts(**counts, received=received)
    assert found.lost == counts.get('dropped', 0) + counts.get('rejected', 0)
    assert len(found.failures()) == bool(missing)
    assert all(words in found.failures()[0] for words in missing)


def test_an_output_of_which_nothing_is_read_is_named() -> None:
    found = accounts(sent=1, labels=1, processed=1)
    found.read['overlays'] = 0
    assert found.failures() == ['no overlays were read']


def test_counters_of_cameras_and_activations_add_up() -> None:
    found = accounts(sent=5, labels=5, processed=2, received=2)
    found.add_status({name: '3' if name in ('processed', 'received') else '0' for name in COUNTED})
    assert found.failures() == []
    assert found.as_fields()['counted']['processed'] == 5
