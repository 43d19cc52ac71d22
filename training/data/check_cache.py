# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What earlier checks found, in a JSON file, so that no unchanged file is read twice."""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from training.data.frame_facts import FrameFacts
from training.data.frames import Frame
from upsnet_ros.core.labels import LabelSet

LOGGER = logging.getLogger(__name__)
VERSION = 3  # of what is checked; another makes every frame be read again


class CheckCache:
    """Facts by frame; each holds as long as size and time of both files stay what they were.

    Args:
        path: The JSON file. One that is damaged, or of another label set, counts as none.
        label_set: Classes that the frames are read with.
    """

    def __init__(self, path: Path, label_set: LabelSet) -> None:
        self.path = path
        content = json.dumps(label_set.to_dict(), sort_keys=True).encode()
        self._header = {'version': VERSION, 'labels': hashlib.sha256(content).hexdigest()}
        self._entries = self._load()

    def _load(self) -> dict[str, list[Any]]:
        try:
            content = json.loads(self.path.read_bytes())
            if {key: content[key] for key in self._header} != self._header:
                return {}
            for _, facts in content['frames'].values():
                FrameFacts.from_list(facts)
            return content['frames']
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            LOGGER.info('%s cannot be used (%s); checking the data again', self.path, error)
            return {}

    def find(self, frame: Frame) -> FrameFacts | None:
        """Facts of an unchanged frame, None for any other."""
        entry, stamp = self._entries.get(str(frame.image)), frame.stamp()
        if entry is None or stamp is None or entry[0] != stamp:
            return None
        return FrameFacts.from_list(entry[1])

    def add(self, frame: Frame, facts: FrameFacts) -> None:
        """Keep the facts of a frame."""
        self._entries[str(frame.image)] = [frame.stamp(), facts.to_list()]

    def save(self) -> None:
        """Write the file, whole or not at all."""
        content = json.dumps(self._header | {'frames': self._entries}, separators=(',', ':'))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f'{self.path.name}.{os.getpid()}.part')
        part.write_text(content)
        part.replace(self.path)
