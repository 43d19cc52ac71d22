# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Heads of one label set for the classes of another: row by row, and what is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.initial.head_rows import ClassMatch, match_classes, remap_rows
from training.initial.other_model import InitialReport, load_other_model
from training.initial.weight_file import InitialWeightsError
from training.label_sets import find_label_set
from training.models.box_head import BoxHead
from training.models.mask_head import MaskHead
from training.models.semantic_head import SemanticHead
from training.recipe.errors import RecipeError
from training.recipe.reading import load_recipe
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.labels import LabelClass, LabelSet

# For every class of Cityscapes the class of COCO, as the facts of the published models give them.
BOX_CLASSES = (0, 1, None, 3, 8, 6, 7, 4, 2)  # background first
SEMANTIC_CLASSES = (
    *(20, 43, 49, 51, 37, None, 62, None, 36, None, 39),  # road to sky
    *(53, None, 55, 60, 58, 59, 56, 54),  # person to bicycle
)
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


def coco_to_cityscapes() -> ClassMatch:
    return match_classes(find_label_set('cityscapes'), find_label_set('coco'), OTHER_NAMES)


def remapped(model: nn.Module, weights: Mapping[str, Tensor]) -> InitialReport:
    generator = torch.Generator().manual_seed(3)
    return load_other_model(model, weights, coco_to_cityscapes(), generator=generator)


def label_set(name: str, *, stuff: str, things: str) -> LabelSet:
    names = [*((word, False) for word in stuff.split()), *((w, True) for w in things.split())]
    entries = (LabelClass(i, i, word, thing, (i, i, i)) for i, (word, thing) in enumerate(names))
    return LabelSet(name, tuple(entries))


def test_rows_of_a_class_stay_together_and_new_ones_are_drawn() -> None:
    old = torch.tensor([[1.0], [2.0], [3.0], [4.0], [5.0], [9.0]])  # mean 4, deviation 2.582
    new = remap_rows(old, (2, None, 0), 2, torch.Generator().manual_seed(7))
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
    for ours, theirs in enumerate(BOX_CLASSES):
        for delta in range(4) if theirs is not None else ():
            assert torch.equal(new[4 * ours + delta], old[4 * theirs + delta]), (ours, delta)


def test_names_lead_to_the_published_rows() -> None:
    match = coco_to_cityscapes()
    assert match.sources == SEMANTIC_CLASSES
    assert match.boxes == BOX_CLASSES
    recipe = Path('config/training/upsnet_r101_cityscapes.yaml')
    assert load_recipe(recipe).initial.renamed == OTHER_NAMES


def test_a_table_says_what_moved_what_is_new_and_what_was_dropped() -> None:
    own = label_set('mine', stuff='road lane sky train', things='car van person')
    other = label_set('theirs', stuff='sky road wall person', things='train car rider')
    match = match_classes(own, other, {'van': 'car'})
    assert match.sources == (1, None, 0, 4, 5, 5, 3)
    # A thing of ours that is stuff there has a channel but no boxes; 'train' is the opposite.
    assert match.boxes == (0, 2, 2, None)
    assert str(match).splitlines() == [
        "class   in 'theirs'  takes over",
        'road    road         semantic channel',
        'lane    -            nothing: drawn anew',
        'sky     sky          semantic channel',
        'train   train        semantic channel',
        'car     car          semantic channel, box, mask',
        'van     car          semantic channel, box, mask',
        'person  person       semantic channel; box and mask drawn anew, for it is stuff there',
        'moved: 6',
        'new, drawn: 1 (lane)',
        'dropped: 2 (wall, rider)',
    ]


@pytest.mark.parametrize(
    ('renamed', 'message'),
    [
        ({'lorry': 'car'}, r"'lorry': 'car'.* left a class of data.label_set 'mine': road, van"),
        ({'van': 'cat'}, r"'van': 'cat'.* right a class of the checkpoint, 'theirs': .*'car'"),
        ({'road': 'car'}, r"no line for 'road', because the checkpoint has a class of that name"),
    ],
)
def test_a_table_of_names_that_do_not_exist_or_collide_is_refused(
    renamed: dict[str, str], message: str
) -> None:
    own = label_set('mine', stuff='road', things='van')
    other = label_set('theirs', stuff='road sky', things='car')
    with pytest.raises(RecipeError, match=r'initial\.renamed.*' + message):
        match_classes(own, other, renamed)
    assert match_classes(own, other, {'road': 'road'}).sources == (0, None)


def test_label_sets_that_share_no_class_are_refused() -> None:
    own = label_set('mine', stuff='Fahrbahn', things='Auto')
    other = label_set('theirs', stuff='road', things='car')
    with pytest.raises(
        InitialWeightsError,
        match=r"no class of data.label_set 'mine' \(Fahrbahn, Auto\) is one of the checkpoint's, "
        r"'theirs' \(road, car\); expected at least one.*initial.renamed",
    ):
        match_classes(own, other, {})


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
        (9, 19, (9, 19), r'class_logits\.weight: 9x5, expected 81x5 in the checkpoint, for .coco'),
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
    report = load_other_model(model, weights, None)
    assert set(report.copied) == set(weights)
    assert (report.remapped, report.random, report.unused) == ((), (), ())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    for wrong in (coco(), weights | {'extra': torch.zeros(1)}, dict(list(weights.items())[1:])):
        with pytest.raises(ModelError, match='another network'):
            load_other_model(cityscapes(), wrong, None)
