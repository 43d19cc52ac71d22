# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which files a bag consists of, and what lies there instead where it is none."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from upsnet_ros.bags.mcap_file import McapFile
from upsnet_ros.bags.storage import SqliteFile, StorageFile, type_name, unpack_file
from upsnet_ros.core.errors import BagError

METADATA = 'metadata.yaml'
STORAGES = {'.mcap': 'mcap', '.db3': 'sqlite3'}
PACKED = '.zstd'
LFS_POINTER = b'version https://git-lfs'
ROS1_SUFFIX, ROS1_MAGIC = '.bag', b'#ROSBAG'


@dataclass(frozen=True)
class BagFiles:
    """What lies in a bag.

    Attributes:
        files: its storage files; they may be packed.
        problems: what is missing, in words.
        counts: messages by topic and type, as its metadata counts them.
    """

    files: tuple[Path, ...]
    problems: tuple[str, ...]
    counts: Counter[tuple[str, str]]


def find_files(path: Path) -> BagFiles:
    """The storage files of a bag, given its folder or one of its files.

    Raises:
        BagError: there is nothing, or nothing of a rosbag2; the message says what it is instead.
    """
    try:
        if path.is_dir():
            return _find_in_folder(path)
        if path.is_file():
            _refuse_others(path)
            return BagFiles((path,), _journal_problem(path), Counter())
        is_there = path.exists()
    except OSError as error:
        raise BagError(f'{path} cannot be looked at ({error}); expected a rosbag2') from error
    told = 'no file or folder lies at' if is_there else 'there is no bag at'
    raise BagError(f'{told} {path}. Give the folder of a rosbag2.')


def _find_in_folder(path: Path) -> BagFiles:
    inside = [p for p in path.iterdir() if _storage_suffix(p) and (p.is_file() or not p.exists())]
    # A packed file that a player unpacked beside itself counts once, in either way.
    by_name = {_unpacked_name(p.name): p for p in sorted(inside, reverse=True)}
    found = sorted(by_name.values(), key=_natural_order)
    metadata, problems = _read_metadata(path)
    named = metadata.get('relative_file_paths')
    names = [Path(str(name)).name for name in named] if isinstance(named, list) else []
    problems += [
        f'{name}, which {METADATA} names, is missing'
        for name in names
        if _unpacked_name(name) not in by_name
    ]
    if not found:
        raise BagError(_nothing_in(path, problems))
    # A file beside those that the metadata names is no part of the bag, such as a backup; but
    # where it names none that is there, they were given other names.
    files = tuple(by_name[n] for n in map(_unpacked_name, names) if n in by_name) or tuple(found)
    if all(map(_is_pointer, files)):
        _refuse_others(files[0])
    problems += [problem for p in files for problem in _journal_problem(p)]
    return BagFiles(files, tuple(problems), _counts(metadata))


def _unpacked_name(name: str) -> str:
    return name.removesuffix(PACKED)


def _storage_suffix(path: Path) -> str | None:
    name = _unpacked_name(path.name)
    return next((suffix for suffix in STORAGES if name.endswith(suffix)), None)


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """Numbers in names by their value, so that part 10 comes behind part 9."""
    return [(int(p or 0), '') if p.isdigit() else (0, p) for p in re.split(r'(\d+)', path.name)]


def _begins_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open('rb') as file:
            return file.read(len(magic)) == magic
    except OSError:  # its reader will say why
        return False


def _is_pointer(path: Path) -> bool:
    return _begins_with(path, LFS_POINTER)


def _ros1_advice(path: Path) -> str:
    target = path.with_suffix('') if path.suffix else path.with_name(f'{path.name}_ros2')
    return (
        f'{path} is a recording of ROS 1; expected a rosbag2. Convert it once with '
        f'`rosbags-convert --src {path} --dst {target}`.'
    )


def _refuse_others(path: Path) -> None:
    """Refuse a file that is no storage file, and say what it is.

    Raises:
        BagError: as described.
    """
    if _is_pointer(path):
        raise BagError(
            f'{path} is a Git LFS pointer, not the recording itself. Run `git lfs pull` in its '
            'repository.'
        )
    if path.suffix == ROS1_SUFFIX or _begins_with(path, ROS1_MAGIC):
        raise BagError(_ros1_advice(path))
    if path.name == METADATA:
        raise BagError(f'{path} only describes a bag. Give its folder, {path.parent}.')
    if _storage_suffix(path) is None:
        raise BagError(f'{path} is no file of a rosbag2; expected .mcap or .db3')


def _nothing_in(folder: Path, problems: list[str]) -> str:
    ros1 = sorted(folder.glob(f'*{ROS1_SUFFIX}'))
    if ros1:
        return _ros1_advice(ros1[0])
    text = f'{folder} holds no file of a rosbag2 (.mcap, .db3, also {PACKED})'
    inside = sorted({p.parent.name for suffix in STORAGES for p in folder.glob(f'*/*{suffix}*')})
    if inside:
        return f'{text}. Its folders do: give one of {", ".join(inside)}.'
    told = problems if (folder / METADATA).exists() else ['it is another folder']
    return f'{text}: {"; ".join(told)}.'


def _read_metadata(folder: Path) -> tuple[dict[str, Any], list[str]]:
    path = folder / METADATA
    if not path.is_file():
        return {}, [f'{METADATA} is missing; `ros2 bag reindex` makes it anew']
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        return dict(content['rosbag2_bagfile_information']), []
    except (OSError, ValueError, TypeError, KeyError, RecursionError, yaml.YAMLError) as error:
        text = ' '.join(str(error).split())
        return {}, [f'{METADATA} cannot be read ({type(error).__name__}: {text})']


def _counts(metadata: dict[str, Any]) -> Counter[tuple[str, str]]:
    listed = metadata.get('topics_with_message_count')
    counts: Counter[tuple[str, str]] = Counter()
    for entry in listed if isinstance(listed, list) else ():
        # Damaged, or of another's making.
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            topic = entry['topic_metadata']
            kind = type_name(topic['type'], topic['serialization_format'])
            counts[topic['name'], kind] += int(entry['message_count'])
    return counts


def _journal_problem(path: Path) -> tuple[str, ...]:
    journal = path.with_name(f'{path.name}-wal')
    if not journal.is_file() or not journal.stat().st_size:
        return ()
    return (
        f'{journal.name} holds messages that were not yet put into {path.name} when recording '
        'broke off; they are left out. Open the file once with sqlite3 to put them in',
    )


def open_file(path: Path, unpack_folder: Path) -> tuple[StorageFile | None, list[str]]:
    """Open one file.

    Args:
        path: the file, packed or not.
        unpack_folder: where a packed one is unpacked.

    Returns:
        The file, or None where nothing of it can be read, and what is wrong with it.
    """
    problems = []
    name = path.name
    if _is_pointer(path):
        return None, [f'{name} is a Git LFS pointer; run `git lfs pull`']
    is_mcap = _storage_suffix(path) == '.mcap'
    try:
        if name.endswith(PACKED):
            unpacked = unpack_folder / _unpacked_name(name)
            broken = unpack_file(path, unpacked)
            problems += [f'{name} cannot be unpacked to its end ({broken})'] if broken else []
            path = unpacked
        return (McapFile(path) if is_mcap else SqliteFile(path)), problems
    except Exception as error:  # damaged bytes break the readers in ways they do not tell
        told = f'{name} cannot be read ({type(error).__name__}: {error})'
    advice = '' if is_mcap else f'; `sqlite3 {name} .recover` may save some of it'
    return None, [*problems, told + advice]
