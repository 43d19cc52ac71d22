# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled networks in the user's cache folder; whatever is wrong with it only costs time."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

_LOGGER = logging.getLogger(__name__)
_SUFFIX = '.compiled'
_KEPT_FILES = 8  # tens of MB each
_DIGEST_BYTES = hashlib.sha256().digest_size


class CompiledCache:
    """One compiled network in a folder of them.

    The file begins with the digest of what follows: a library that is given half a network may
    crash.

    Attributes:
        path: its file; None where there is no folder for it.
    """

    def __init__(self, folder: Path | str | None, key: Sequence[str]) -> None:
        """Name the file.

        Args:
            folder: where compiled networks are kept; None for the user's cache folder.
            key: all on which the compiled form depends.
        """
        name = hashlib.sha256('\n'.join(key).encode()).hexdigest()[:32]
        chosen = user_folder() if folder is None else Path(folder)
        self.path = chosen / f'{name}{_SUFFIX}' if chosen is not None else None

    def read(self) -> bytes | None:
        """Return what was kept, or None where there is nothing of use."""
        if self.path is None:
            return None
        try:
            content = self.path.read_bytes()
        except OSError:  # most often there is none yet; whatever else it is, writing tells it
            return None
        digest, blob = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(blob).digest() != digest:
            _LOGGER.warning("compiled network '%s' is damaged, and compiled anew", self.path)
            return None
        return blob

    def write(self, export: Callable[[], BytesIO]) -> None:
        """Keep what `export` returns, if that is possible, and remove the oldest of many."""
        if self.path is None:
            _LOGGER.warning('there is no cache folder: the model is compiled at every start')
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            blob = export().getvalue()
            # Put in place in one step, so that no other process reads half of it; with the ending
            # of the others, so that what a process that is ended meanwhile leaves goes like them.
            with tempfile.NamedTemporaryFile(
                dir=self.path.parent, suffix=_SUFFIX, delete=False
            ) as file:
                try:
                    file.write(hashlib.sha256(blob).digest() + blob)
                    file.close()
                    os.replace(file.name, self.path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except Exception as error:  # the library's own beside those of the file system
            _LOGGER.warning(
                'the compiled model cannot be kept, so every start compiles it: %s; give another '
                'cache_folder, or make this one writable',
                error,
            )
        else:
            with suppress(OSError):  # another process may be removing the same ones
                _remove_oldest(self.path.parent)


def user_folder() -> Path | None:
    """The user's folder for compiled networks; None for a user without a home."""
    given = os.environ.get('XDG_CACHE_HOME', '')
    try:
        base = Path(given) if os.path.isabs(given) else Path.home() / '.cache'
    except RuntimeError:
        return None
    return base / 'upsnet_ros'


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob(f'*{_SUFFIX}'), key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEPT_FILES]:
        path.unlink(missing_ok=True)
