# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a trained network is tested, apart from what its recipe says."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from training.inference.oracles import BOXES, CLASSES, ORACLES, SEGMENTATION
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.panoptic_head import INSTANCE_CLASSES

HEADS = ('unified', 'heuristic')
SHORTEST_SIDE = 32


@dataclass(frozen=True)
class InferenceOptions:
    """Options of a test; None stands for what the recipe says.

    Attributes:
        short_side: Short side of resized images in pixels.
        max_long_side: Their longest long side in pixels.
        multi_scale: Whether semantic logits are averaged over several sizes.
        flip: Whether they are averaged with those of the mirror image.
        window: Side of the windows that the semantic network sees one after the other, in pixels;
            0 for whole images. None: what a PSPNet was trained on, whole images for others.
        oracles: Parts of the answer that the truth replaces.
        head: ``'unified'``, the paper's panoptic head, or ``'heuristic'``, the merge of Kirillov
            et al.
        instance_class: ``'majority'`` or ``'detection'``, see ``PanopticHead``.
        predict_unknown: Whether the unified head has an unknown channel.
        fixed_input: Whether images are scaled into the input of the exported network, as the robot
            does, instead of being resized by their short side.
    """

    short_side: int | None = None
    max_long_side: int | None = None
    multi_scale: bool = False
    flip: bool = False
    window: int | None = None
    oracles: tuple[str, ...] = ()
    head: str | None = None
    instance_class: str | None = None
    predict_unknown: bool | None = None
    fixed_input: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible values and contradictions, by the names of the command line."""
        _require_choice('--oracle', self.oracles, ORACLES)
        _require_choice('--head', [self.head] if self.head else [], HEADS)
        classes = [self.instance_class] if self.instance_class else []
        _require_choice('--instance-class', classes, INSTANCE_CLASSES)
        for name, value in (
            ('--short-side', self.short_side),
            ('--max-long-side', self.max_long_side),
        ):
            if value is not None and value < SHORTEST_SIDE:
                raise ParameterError(f'{name} is {value}, expected {SHORTEST_SIDE} pixels or more')
        if self.window is not None and (self.window < 0 or self.window % 8):
            raise ParameterError(f'--window is {self.window}, expected 0 or a multiple of 8')
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if CLASSES in self.oracles and BOXES not in self.oracles:
            raise ParameterError(
                '--oracle classes has no objects to give classes to: expected --oracle boxes '
                'beside it'
            )
        if SEGMENTATION in self.oracles and (self.multi_scale or self.flip or self.window):
            raise ParameterError(
                '--oracle segmentation takes the place of the logits that --multi-scale, --flip '
                'and --window are about: expected it without them'
            )
        free = [name for name in self._size_options() if self.fixed_input]
        if free:
            raise ParameterError(
                f'{", ".join(free)} with an input of one size (an exported model, or '
                '--fixed-input): expected a checkpoint without --fixed-input'
            )

    @property
    def rules_of_unified_head(self) -> list[str]:
        """Names of the options in use that only the unified head has."""
        names = ['--instance-class'] if self.instance_class is not None else []
        return [*names, '--no-unknown'] if self.predict_unknown is not None else names

    def _size_options(self) -> list[str]:
        """Names of the options in use that an input of one size cannot have."""
        values = {
            '--short-side': self.short_side,
            '--max-long-side': self.max_long_side,
            '--multi-scale': self.multi_scale,
            '--flip': self.flip,
            '--window': self.window,
            '--oracle': self.oracles,
            '--head heuristic': self.head == 'heuristic',
        }
        return [name for name, value in values.items() if value]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of all options."""
        return asdict(self) | {'oracles': list(self.oracles)}


def _require_choice(name: str, values: Iterable[str], choices: tuple[str, ...]) -> None:
    for value in values:
        if value not in choices:
            raise ParameterError(f"{name} is '{value}', expected one of {', '.join(choices)}")
