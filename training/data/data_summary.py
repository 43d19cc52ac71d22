# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a checked split holds, and which of its frames are trained on."""

from collections.abc import Callable
from dataclasses import dataclass

from training.data.errors import DataError
from training.data.frame_facts import FrameFacts
from training.data.frames import Frame
from upsnet_ros.core.labels import LabelSet

NAMES_TOLD = 3
DARK = 63  # 14 bits in 16 end here, 12 bits at 15, 10 bits at 3


@dataclass(frozen=True)
class DataSummary:
    """The frames of a split that can be used.

    Attributes:
        split: Its name.
        label_set: Its classes.
        frames: Its frames with what was found, in the reader's order.
    """

    split: str
    label_set: LabelSet
    frames: tuple[tuple[Frame, FrameFacts], ...]

    def usable_frames(self, *, drop_without_things: bool) -> list[Frame]:
        """The frames to train on; those without any trained class never are.

        Args:
            drop_without_things: Leave out frames without a single object, as the published models
                do: those with stuff alone and those with nothing but crowds beside it.

        Raises:
            DataError: If none is left.
        """
        usable = [
            frame
            for frame, facts in self.frames
            if facts.classes and (facts.objects or not drop_without_things)
        ]
        if not usable:
            wanted = 'a single object of a thing class' if drop_without_things else 'any class'
            raise DataError(
                f"none of the {len(self.frames)} frames of the split '{self.split}' has {wanted} "
                f"of the label set '{self.label_set.name}'; check data.label_set and "
                f'data.images_without_things. Found: {self}'
            )
        return usable

    def never_seen(self) -> list[str]:
        """Names of the classes that no frame has."""
        seen = {class_id for _, facts in self.frames for class_id in facts.classes}
        return [entry.name for entry in self.label_set.classes if entry.train_id not in seen]

    def oddities(self) -> list[str]:
        """One line for each kind of frame that is allowed but worth knowing of, with names."""
        kinds: list[tuple[str, Callable[[FrameFacts], bool]]] = [
            ('without any trained class (never used)', lambda f: not f.classes),
            ('with crowds but no single object', lambda f: not f.objects and f.crowds > 0),
            (
                'without any thing',
                lambda f: bool(f.classes) and not f.objects and not f.crowds,
            ),
            ('with objects whose box has no area (left out)', lambda f: f.flat > 0),
            ('with over 254 objects of a class (further ones are a crowd)', lambda f: f.full > 0),
            ('mostly without a trained class', lambda f: bool(f.classes) and _is_mostly_void(f)),
            ('of a single colour', lambda f: f.one_colour),
            (
                f'nearly black, no value above {DARK} of 255 (16-bit files are read by their upper '
                '8 bits: do they hold 10, 12 or 14 bits? multiply the values to fill 16)',
                lambda f: f.brightest <= DARK and not f.one_colour,
            ),
            (
                'turned by their EXIF orientation (is the truth drawn on the turned pixels?)',
                lambda f: f.orientation > 1,
            ),
        ]
        lines = []
        for kind, has_it in kinds:
            names = [frame.name for frame, facts in self.frames if has_it(facts)]
            if names:
                more = ', ...' if len(names) > NAMES_TOLD else ''
                lines.append(f'{len(names)} {kind}: {", ".join(names[:NAMES_TOLD])}{more}')
        return lines

    def __str__(self) -> str:
        objects = sum(facts.objects for _, facts in self.frames)
        lines = [f"split '{self.split}': {len(self.frames)} frames, {objects} objects"]
        lines += [f'  {line}' for line in self.oddities()]
        missing = self.never_seen()
        if missing:
            lines.append(f'  classes never seen: {", ".join(missing)}')
        return '\n'.join(lines)


def _is_mostly_void(facts: FrameFacts) -> bool:
    return 2 * facts.void > facts.size[0] * facts.size[1]
