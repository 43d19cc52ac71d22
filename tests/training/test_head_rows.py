# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Heads of COCO for the classes of Cityscapes: row by row, and what is refused."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from training.initial.head_rows import (
    BOX_CLASSES,
    SEMANTIC_CLASSES,
    HeadLayer,
    remap_rows,
)
from training.initial.other_model import load_other_model
from training.initial.weight_file import InitialWeightsError
from training.label_sets import find_label_set
from training.models.box_head import BoxHead
from training.models.mask_head import MaskHead
from training.models.semantic_head import SemanticHead
from upsnet_ros.core.errors import ModelError

# Cityscapes class: COCO class, as the facts of the published models give them.
BOX_ROWS = {0: 0, 1: 1, 3: 3, 4: 8, 5: 6, 6: 7, 7: 4, 8: 2}
NEW_BOX_CLASSES, NEW_SEMANTIC_CLASSES = {2}, {5, 7, 9, 12}
# Names that differ between the two data sets.
OTHER_NAMES = {
    'sidewalk': 'pavement-merged',
    'building': 'building-other-merged',
    'wall': 'wall-other-merged',
    'fence': 'fence-merged',
    'vegetation': 'tree-merged',
    'sky': 'sky-other-merged',
}


class Heads(nn.Module):
    """The heads of a network, narrow, and a layer whose shape depends on the data set."""

    def __init__(self, *, boxes: int, semantic: int, depth: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.box_head = BoxHead(in_channels=1, channels=5, num_classes=boxes)
        self.mask_head = MaskHead(in_channels=1, channels=3, num_layers=1, num_classes=boxes)
        widths = (4,) * (depth - 1) + (2,)
        self.semantic_head = SemanticHead(in_channels=6, channels=widths, num_classes=semantic)
        for parameter in self.parameters():
            nn.init.normal_(parameter, mean=0.3)


def coco(seed: int = 0) -> dict[str, Tensor]:
    return Heads(boxes=81, semantic=133, depth=2, seed=seed).state_dict()


def cityscapes() -> Heads:
    return Heads(boxes=9, semantic=19, depth=1, seed=1)


def remapped(model: nn.Module, weights: Mapping[str, Tensor], *, seed: int = 3) -> object:
    generator = torch.Generator().manual_seed(seed)
    return load_other_model(model, weights, 'coco_to_cityscapes', generator=generator)


def test_rows_of_a_class_stay_together_and_new_ones_are_drawn() -> None:
    layer = HeadLayer('layer', (2, None, 0), old_classes=3, rows=2)
    old = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [9.0]])  # mean 4, deviation 2.582
    new = remap_rows(old, layer, torch.Generator().manual_seed(7))
    assert new[[0, 1, 4, 5]].flatten().tolist() == [5.0, 9.0, 1.0, 2.0]
    noise = torch.randn(2, 1, generator=torch.Generator().manual_seed(7))
    deviation = ((9 + 4 + 1 + 0 + 1 + 25) / 6) ** 0.5
    torch.testing.assert_close(new[2:4], 4.0 + deviation * noise)


@pytest.mark.parametrize('part', ['weight', 'bias'])
def test_all_four_deltas_of_a_class_follow_it(part: str) -> None:
    model, weights = cityscapes(), coco()
    remapped(model, weights)
    name = f'box_head.box_deltas.{part}'
    new, old = model.state_dict()[name], weights[name]
    for ours, theirs in BOX_ROWS.items():
        for delta in range(4):
            assert torch.equal(new[4 * ours + delta], old[4 * theirs + delta]), (ours, delta)


def test_rows_lead_to_classes_of_the_same_name() -> None:
    ours, theirs = find_label_set('cityscapes').classes, find_label_set('coco').classes
    for train_id, source in enumerate(SEMANTIC_CLASSES):
        name = ours[train_id].name
        if source is None:
            assert train_id in NEW_SEMANTIC_CLASSES, name
        else:
            assert theirs[source].name == OTHER_NAMES.get(name, name)
    for box_class, source in enumerate(BOX_CLASSES[1:], start=1):
        name = ours[10 + box_class].name
        if source is None:
            assert box_class in NEW_BOX_CLASSES, name
        else:
            assert theirs[52 + source].name == name


def test_what_fits_is_copied_and_the_rest_reported() -> None:
    model, weights = cityscapes(), coco()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = remapped(model, weights)
    heads = ('box_head.class_logits', 'box_head.box_deltas', 'mask_head.logits')
    layers = (*heads, 'semantic_head.score')
    assert set(report.remapped) == {f'{name}.{part}' for name in layers for part in PARTS}
    # The first semantic layer has other widths there; its offsets look at the same features.
    first = 'semantic_head.convs.0'
    assert set(report.random) == {f'{first}.weight', f'{first}.bias'}
    assert set(report.unused) == set(report.random) | {
        f'semantic_head.convs.1.{name}'
        for name in ('weight', 'bias', 'offset.weight', 'offset.bias')
    }
    state = model.state_dict()
    assert set(report.copied) | set(report.remapped) | set(report.random) == set(state)
    assert f'{first}.offset.weight' in report.copied
    for name in report.copied:
        assert torch.equal(state[name], weights[name]), name
    for name in report.random:
        assert torch.equal(state[name], before[name]), name
    text = str(report)
    assert f'{len(report.copied)} tensors copied; 8 remapped (box_head.class_logits.weight' in text
    assert '2 left at random weights (semantic_head.convs.0.weight' in text


PARTS = ('weight', 'bias')


def test_both_classifiers_of_pspnet_are_remapped() -> None:
    names = ('score', 'auxiliary_score')
    old = nn.ModuleDict({name: nn.Conv2d(3, 133, 1) for name in names})
    new = nn.ModuleDict({name: nn.Conv2d(3, 19, 1) for name in names})
    remapped(new, old.state_dict())
    for name in names:
        assert torch.equal(new[name].weight[18], old[name].weight[54])
        assert torch.equal(new[name].bias[0], old[name].bias[20])


@pytest.mark.parametrize(
    ('boxes', 'semantic', 'source', 'message'),
    [
        (
            9,
            20,
            (81, 133),
            r'semantic_head\.score\.weight: 20x8x1x1, expected 19x8x1x1 in the net',
        ),
        (81, 19, (81, 133), r'box_head\.box_deltas\.bias: 324, expected 36 in the network'),
        (9, 19, (80, 133), r'mask_head\.logits\.bias: 80, expected 81 in the checkpoint'),
        (9, 19, (81, 134), r'semantic_head\.score\.bias: 134, expected 133 in the checkpoint'),
        (9, 19, (9, 19), r'box_head\.class_logits\.weight: 9x5, expected 81x5 in the checkpoint'),
    ],
)
def test_other_numbers_of_classes_are_refused_and_nothing_is_changed(
    boxes: int, semantic: int, source: tuple[int, int], message: str
) -> None:
    model = Heads(boxes=boxes, semantic=semantic, depth=1, seed=1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = Heads(boxes=source[0], semantic=source[1], depth=1, seed=0)
    with pytest.raises(InitialWeightsError, match=message):
        remapped(model, other.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_head_that_is_missing_in_the_checkpoint_is_named() -> None:
    weights = {name: value for name, value in coco().items() if 'box_deltas' not in name}
    with pytest.raises(
        InitialWeightsError, match=r'box_deltas\.weight: missing in the checkpoint'
    ):
        remapped(cityscapes(), weights)


def test_with_the_same_classes_everything_must_fit() -> None:
    model, weights = cityscapes(), Heads(boxes=9, semantic=19, depth=1, seed=4).state_dict()
    report = load_other_model(model, weights, 'same')
    assert set(report.copied) == set(weights)
    assert (report.remapped, report.random, report.unused) == ((), (), ())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    for wrong in (coco(), weights | {'extra': torch.zeros(1)}, dict(list(weights.items())[1:])):
        with pytest.raises(ModelError, match='another network'):
            load_other_model(cityscapes(), wrong, 'same')
