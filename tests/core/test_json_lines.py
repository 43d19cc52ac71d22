# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A journal is what was written to it, whatever an interrupt cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from upsnet_ros.core.json_lines import JsonLines, differences, read_json_lines

HEADER = {'version': 1, 'about': {'bag': 'drive'}}


def write(path: Path, *objects: dict) -> None:
    with JsonLines(path, HEADER) as lines:
        for values in objects:
            lines.add(values)


def test_what_is_added_is_read_behind_the_header_by_whoever_goes_on(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'folder' / 'frames.jsonl'
    write(path, {'frame': 1}, {'name': 'Gr\u00fcn \u20ac'})
    write(path)
    write(path, {'frame': 3})
    assert list(read_json_lines(path)) == [
        HEADER,
        {'frame': 1},
        {'name': 'Gr\u00fcn \u20ac'},
        {'frame': 3},
    ]


def test_an_object_is_on_disk_before_the_next_is_made(tmp_path: Path) -> None:
    path = tmp_path / 'frames.jsonl'
    with JsonLines(path, HEADER) as lines:
        assert list(read_json_lines(path)) == [HEADER]
        lines.add({'frame': 1})
        assert list(read_json_lines(path)) == [HEADER, {'frame': 1}]


def test_a_cut_anywhere_costs_the_line_it_is_in_and_no_other(tmp_path: Path) -> None:
    whole = tmp_path / 'whole.jsonl'
    write(whole, {'frame': 1, 'score': 0.5}, {'frame': 2})
    text = whole.read_bytes()
    for length in range(len(text) + 1):
        path = tmp_path / f'{length}.jsonl'
        path.write_bytes(text[:length])
        kept = list(read_json_lines(path))
        assert kept == list(read_json_lines(whole))[: len(kept)]
        # The last line end may be missing, the object is whole all the same.
        assert len(kept) >= text[:length].count(b'\n')
        write(path, {'frame': 9})
        assert list(read_json_lines(path)) == [*(kept or [HEADER]), {'frame': 9}]


def test_lines_that_are_no_objects_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / 'frames.jsonl'
    path.write_bytes(b'{"a":1}\n[1]\n7\n\n\xff\xfe{\n' + b'[' * 5000 + b'\n{"b":2}\n')
    assert list(read_json_lines(path)) == [{'a': 1}, {'b': 2}]


def test_what_has_no_json_is_refused_and_leaves_the_file_sound(tmp_path: Path) -> None:
    path = tmp_path / 'frames.jsonl'
    with JsonLines(path, HEADER) as lines:
        for values, kind in (({'a': float('nan')}, ValueError), ({'a': {1}}, TypeError)):
            with pytest.raises(kind):
                lines.add(values)
        lines.add({'a': 1})
    assert list(read_json_lines(path)) == [HEADER, {'a': 1}]


def test_differences_are_told_by_the_names_of_the_fields() -> None:
    before = {'bag': {'path': 'a', 'size': [1, 2]}, 'part': {}, 'gone': 1}
    now = {'bag': {'path': 'b', 'size': (1, 2)}, 'part': {'start': 0.5}}
    assert differences(before, now) == {
        'bag.path': ('a', 'b'),
        'gone': (1, None),
        'part': ({}, None),
        'part.start': (None, 0.5),
    }
    assert differences(before, before) == {}
