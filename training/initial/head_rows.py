# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a network's heads for other classes: each class takes those of its namesake.

Source: facts of the published models, section 4 (what the published ResNet-101 for Cityscapes
started from: a COCO network, its rows moved, the rows of new classes drawn).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from training.initial.weight_file import InitialWeightsError, problem_of, refuse_problems
from training.recipe.errors import require
from upsnet_ros.core.labels import LabelSet

SHOWN = 40  # names of classes in a message


@dataclass(frozen=True)
class ClassMatch:
    """Which class of another label set each class takes its rows from.

    Attributes:
        own: The classes to learn.
        other: The classes of the checkpoint.
        sources: For every class of ``own`` the train id of its source in ``other``, or None.
    """

    own: LabelSet
    other: LabelSet
    sources: tuple[int | None, ...]

    @property
    def boxes(self) -> tuple[int | None, ...]:
        """For every box class, background first, that of the checkpoint, or None.

        A thing whose source is stuff there has none: stuff has no boxes.
        """
        first = self.other.num_stuff
        things = (self.sources[index] for index in self.own.thing_ids)
        return (
            0,
            *(None if one is None or one < first else one - first + 1 for one in things),
        )

    @property
    def new(self) -> tuple[str, ...]:
        """Classes of which the checkpoint knows nothing."""
        pairs = zip(self.own.classes, self.sources, strict=True)
        return tuple(entry.name for entry, source in pairs if source is None)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Classes of the checkpoint that no class takes the rows of."""
        used = set(self.sources)
        return tuple(entry.name for entry in self.other.classes if entry.train_id not in used)

    def __str__(self) -> str:
        """A table: each class, its source, and what it takes from there."""
        rows = [('class', f"in '{self.other.name}'", 'takes over')]
        for entry, source in zip(self.own.classes, self.sources, strict=True):
            name = '-' if source is None else self.other.classes[source].name
            rows.append((entry.name, name, self._taken(entry.train_id)))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f'{a:{widths[0]}}  {b:{widths[1]}}  {c}' for a, b, c in rows]
        moved = len(self.sources) - len(self.new)
        left = (('new, drawn', self.new), ('dropped', self.dropped))
        sums = [
            f'{what}: {len(names)}' + (f' ({", ".join(names)})' if names else '')
            for what, names in left
        ]
        return '\n'.join((*lines, f'moved: {moved}', *sums))

    def _taken(self, train_id: int) -> str:
        if self.sources[train_id] is None:
            return 'nothing: drawn anew'
        if train_id not in self.own.thing_ids:
            return 'semantic channel'
        if self.boxes[train_id - self.own.num_stuff + 1] is None:
            return 'semantic channel; box and mask drawn anew, for it is stuff there'
        return 'semantic channel, box, mask'


def match_classes(own: LabelSet, other: LabelSet, renamed: Mapping[str, str]) -> ClassMatch:
    """Find the source of each class: what the table says, or the class of the same name.

    Args:
        own: The classes to learn.
        other: The classes of the checkpoint.
        renamed: Class of ``own``: class of ``other``, where the names differ. Several classes may
            take the rows of one.

    Raises:
        RecipeError: If the table names a class that does not exist, or one that has a namesake.
        InitialWeightsError: If no class has a source.
    """
    ids = {entry.name: entry.train_id for entry in other.classes}
    names = [entry.name for entry in own.classes]
    for name, source in renamed.items():
        entry = {name: source}
        for word, known, where in (
            (name, names, f"left a class of data.label_set '{own.name}'"),
            (source, list(ids), f"right a class of the checkpoint, '{other.name}'"),
        ):
            require(word in known, 'initial.renamed', entry, f'{where}: {_near(word, known)}')
        clear = name not in ids or name == source
        expected = (
            f'no line for {name!r}, because the checkpoint has a class of that name; left stand '
            'the classes of data.label_set'
        )
        require(clear, 'initial.renamed', entry, expected)
    sources = tuple(ids.get(renamed.get(name, name)) for name in names)
    if all(source is None for source in sources):
        raise InitialWeightsError(
            f"no class of data.label_set '{own.name}' ({_list(names)}) is one of the "
            f"checkpoint's, '{other.name}' ({_list(list(ids))}); expected at least one of the "
            'same name: say in initial.renamed which are which'
        )
    return ClassMatch(own, other, sources)


def _near(word: str, known: list[str]) -> str:
    """The names most like a word, or all of them."""
    near = difflib.get_close_matches(word, known, n=3)
    return f'perhaps {" or ".join(map(repr, near))}' if near else _list(known)


def _list(names: list[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more


@dataclass(frozen=True)
class HeadLayer:
    """A layer whose rows belong to classes.

    Attributes:
        name: Of the layer in a network's state dict.
        classes: Which it has rows of: the box classes, background first, or the semantic ones.
        rows: Rows of one class, one after another.
    """

    name: str
    classes: Literal['box', 'semantic']
    rows: int = 1

    def sources(self, match: ClassMatch) -> tuple[int | None, ...]:
        """For every new class of the layer the old one, or None."""
        return match.boxes if self.classes == 'box' else match.sources

    def old_classes(self, match: ClassMatch) -> int:
        """How many classes the layer has in the checkpoint."""
        box = self.classes == 'box'
        return match.other.num_things + 1 if box else match.other.num_classes


HEAD_LAYERS = (
    HeadLayer('box_head.class_logits', 'box'),
    HeadLayer('box_head.box_deltas', 'box', rows=4),
    HeadLayer('mask_head.logits', 'box'),
    HeadLayer('semantic_head.score', 'semantic'),
    HeadLayer('score', 'semantic'),  # PSPNet's two
    HeadLayer('auxiliary_score', 'semantic'),
)


def remap_rows(
    old: Tensor, sources: tuple[int | None, ...], rows: int, generator: torch.Generator
) -> Tensor:
    """Rows for the new classes.

    Args:
        old: ``[old_classes * rows, ...]``, weight or bias.
        sources: For every new class the old one, or None.
        rows: Of one class.
        generator: Draws the rows of classes that are new, from a Gaussian with the mean and the
            standard deviation of the whole old tensor.

    Returns:
        ``[len(sources) * rows, ...]``.
    """
    by_class = old.view(-1, rows, *old.shape[1:])
    mean, deviation = old.mean(), old.std(correction=0)
    new = []
    for source in sources:
        if source is None:
            noise = torch.randn(by_class.shape[1:], generator=generator, dtype=old.dtype)
            new.append(mean + deviation * noise)
        else:
            new.append(by_class[source])
    return torch.cat(new)


def remap_heads(
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    match: ClassMatch,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The tensors of a network's heads whose rows belong to classes, from those of another.

    Args:
        own: State dict of the network to fine-tune.
        weights: State dict of the other. A head that it has not at all (the semantic one of Mask
            R-CNN) is left out; it stays as it is in ``own``.
        match: Whose rows become whose.
        generator: See :func:`remap_rows`.

    Raises:
        InitialWeightsError: If a layer is missing or has not the rows of its classes.
    """
    heads = {name.split('.')[0] for name in weights}
    present = [
        (f'{layer.name}.{part}', layer)
        for layer in HEAD_LAYERS
        for part in ('weight', 'bias')
        if f'{layer.name}.{part}' in own and layer.name.split('.')[0] in heads
    ]
    if not present:
        raise InitialWeightsError(
            'the network and the checkpoint have no head in common whose rows belong to classes; '
            'give a checkpoint of the same model.network'
        )
    problems = []
    for name, layer in present:
        columns = own[name].shape[1:]
        new = torch.empty(len(layer.sources(match)) * layer.rows, *columns, device='meta')
        old = torch.empty(layer.old_classes(match) * layer.rows, *columns, device='meta')
        for tensor, wanted, place in (
            (own[name], new, f"in the network, for '{match.own.name}'"),
            (weights.get(name), old, f"in the checkpoint, for '{match.other.name}'"),
        ):
            problem = problem_of(tensor, wanted)
            problems += [f'{name}: {problem} {place}'] if problem else []
    refuse_problems(
        problems,
        "initial.head_rows 'by_name' does not fit; give the recipe the widths of the checkpoint "
        '(the last one of model.semantic_channels)',
    )
    return {
        name: remap_rows(weights[name], layer.sources(match), layer.rows, generator)
        for name, layer in present
    }
