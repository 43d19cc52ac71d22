# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training recipes: what can be chosen, in which range, and what each key means.

A recipe is a YAML file whose keys are exactly the fields below; an unknown or a missing key, a
wrong type and a contradiction are errors that name the key.
"""

from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.label_frame import LABEL_RESOLUTIONS
from upsnet_ros.core.structures import CANDIDATE_SLOTS

MAX_TOP_K = 3840  # TensorRT's limit


class RecipeError(UpsnetError):
    """A recipe that cannot be used; the message names the key."""


def require(condition: bool, key: str, received: Any, expected: str) -> None:
    """Raise a :class:`RecipeError` that names the key unless the condition holds."""
    if not condition:
        raise RecipeError(f'recipe key {key!r}: got {received!r}, expected {expected}')


@dataclass(frozen=True)
class ModelRecipe:
    """The network."""

    blocks: tuple[int, ...]  # residual blocks of res2..res5
    width: int  # channels of the stem
    normalisation: str  # 'frozen' (published) or 'batch' (training from random weights)
    frozen_stages: int  # 2: stem and res2 are never trained (published); 0: everything is
    deformable_stages: tuple[int, ...]  # backbone stages with deformable 3x3 convolutions
    fpn_channels: int
    fpn_global_average: bool  # global average of res5 added to P5 (published COCO models)
    rpn_channels: int
    anchor_scale: float  # anchor side over stride; 8 in the published models
    canonical_size: float  # side in pixels of a box that belongs to P4; 224 published
    box_channels: int
    mask_channels: int
    mask_layers: int
    semantic_channels: tuple[int, ...]  # widths of the deformable layers
    test_pre_nms: int
    test_post_nms: int
    test_candidates: int  # most candidates of the panoptic head; 100 published and at most

    def __post_init__(self) -> None:
        require(len(self.blocks) == 4, 'model.blocks', self.blocks, 'four numbers, res2..res5')
        require(
            self.normalisation in ('frozen', 'batch'),
            'model.normalisation',
            self.normalisation,
            "'frozen' or 'batch'",
        )
        require(
            not (self.normalisation == 'batch' and self.frozen_stages),
            'model.frozen_stages',
            self.frozen_stages,
            "0, because model.normalisation 'batch' trains every stage from random weights",
        )
        require(
            set(self.deformable_stages) <= {3, 4, 5},
            'model.deformable_stages',
            self.deformable_stages,
            'a subset of 3, 4, 5',
        )
        require(len(self.semantic_channels) > 0, 'model.semantic_channels', (), 'a layer')
        require(0 <= self.frozen_stages <= 5, 'model.frozen_stages', self.frozen_stages, '0 to 5')
        for key in ('test_pre_nms', 'test_post_nms'):
            value = getattr(self, key)
            limits = f"1 to {MAX_TOP_K}, TensorRT's top-k"
            require(1 <= value <= MAX_TOP_K, f'model.{key}', value, limits)
        require(
            1 <= self.test_candidates <= min(CANDIDATE_SLOTS, self.test_post_nms),
            'model.test_candidates',
            self.test_candidates,
            f'1 to {CANDIDATE_SLOTS}, and at most model.test_post_nms ({self.test_post_nms})',
        )
        for key in ('width', 'fpn_channels', 'rpn_channels', 'box_channels', 'mask_channels'):
            require(getattr(self, key) > 0, f'model.{key}', getattr(self, key), 'at least 1')
        require(self.anchor_scale > 0, 'model.anchor_scale', self.anchor_scale, 'above 0')
        require(self.canonical_size > 0, 'model.canonical_size', self.canonical_size, 'above 0')


@dataclass(frozen=True)
class DataRecipe:
    """Images and labels."""

    label_set: str
    train_short_sides: tuple[int, ...]  # pixels; one is drawn per batch
    max_long_side: int  # pixels
    input_height: int  # of the exported network, pixels, a multiple of 32
    input_width: int

    def __post_init__(self) -> None:
        require(self.label_set == 'cityscapes', 'data.label_set', self.label_set, "'cityscapes'")
        sides = self.train_short_sides
        require(sides and min(sides) >= 32, 'data.train_short_sides', sides, 'sides from 32 up')
        require(self.max_long_side >= 32, 'data.max_long_side', self.max_long_side, '32 or more')
        for key in ('input_height', 'input_width'):
            value = getattr(self, key)
            require(value > 0 and value % 32 == 0, f'data.{key}', value, 'a multiple of 32')


@dataclass(frozen=True)
class LossRecipe:
    """Loss weights and sampling."""

    semantic: float
    semantic_roi: float
    panoptic: float
    keep_share: float  # instances that stay known in the panoptic loss; 0.7 in the paper
    full_resolution_semantic: bool  # true: published; false: the paper's text (1/4)
    rois_per_image: int
    foreground_rois: int
    train_pre_nms: int
    train_post_nms: int

    def __post_init__(self) -> None:
        require(0 < self.keep_share <= 1, 'losses.keep_share', self.keep_share, '0 < x <= 1')
        require(
            self.foreground_rois <= self.rois_per_image,
            'losses.foreground_rois',
            self.foreground_rois,
            'at most losses.rois_per_image',
        )
        for key in ('semantic', 'semantic_roi', 'panoptic'):
            require(getattr(self, key) >= 0, f'losses.{key}', getattr(self, key), '0 or more')
        for key in ('foreground_rois', 'train_pre_nms', 'train_post_nms'):
            require(getattr(self, key) > 0, f'losses.{key}', getattr(self, key), 'at least 1')


@dataclass(frozen=True)
class OptimisationRecipe:
    """How the weights are found."""

    optimiser: str  # 'sgd' (published) or 'adamw'
    learning_rate: float  # at reference_batch_size images per step
    reference_batch_size: int  # the learning rate scales linearly with the batch size
    batch_size: int
    momentum: float  # of sgd
    weight_decay: float  # of weights; biases and normalisation have none
    bias_multiplier: float  # rate of biases and normalisation over that of weights; 2 published
    iterations: int
    warmup_iterations: int
    schedule: str  # 'step' (published) or 'cosine'
    decay_at: tuple[int, ...]  # iterations at which 'step' multiplies the rate by 0.1
    clip_gradient_norm: float  # 0 = never, as published
    precision: str  # 'float32' or 'bfloat16' (autocast)
    average_decay: float  # exponential moving average of the weights; 0 = none
    seed: int

    def __post_init__(self) -> None:
        for key, allowed in (
            ('optimiser', ('sgd', 'adamw')),
            ('schedule', ('step', 'cosine')),
            ('precision', ('float32', 'bfloat16')),
        ):
            value = getattr(self, key)
            require(value in allowed, f'optimisation.{key}', value, f'one of {allowed}')
        for key in ('batch_size', 'reference_batch_size', 'iterations'):
            require(getattr(self, key) > 0, f'optimisation.{key}', getattr(self, key), 'above 0')
        require(
            0 <= self.average_decay < 1,
            'optimisation.average_decay',
            self.average_decay,
            '0 <= x < 1',
        )
        require(
            self.warmup_iterations < self.iterations,
            'optimisation.warmup_iterations',
            self.warmup_iterations,
            'less than optimisation.iterations',
        )
        require(
            not (self.schedule == 'cosine' and self.decay_at),
            'optimisation.decay_at',
            self.decay_at,
            "an empty list, because optimisation.schedule is 'cosine'",
        )


@dataclass(frozen=True)
class PanopticHeadRecipe:
    """Defaults of the exported model's panoptic head."""

    score_threshold: float
    mask_overlap_threshold: float
    stuff_area_limit: int  # pixels of the camera image
    label_resolution: str  # 'input_frame' (published) or 'image'

    def __post_init__(self) -> None:
        for key in ('score_threshold', 'mask_overlap_threshold'):
            value = getattr(self, key)
            require(0 <= value <= 1, f'panoptic_head.{key}', value, '0 to 1')
        limit = self.stuff_area_limit
        require(limit >= 0, 'panoptic_head.stuff_area_limit', limit, '0 or more pixels')
        require(
            self.label_resolution in LABEL_RESOLUTIONS,
            'panoptic_head.label_resolution',
            self.label_resolution,
            f'one of {LABEL_RESOLUTIONS}',
        )


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    name: str
    model: ModelRecipe
    data: DataRecipe
    losses: LossRecipe
    optimisation: OptimisationRecipe
    panoptic_head: PanopticHeadRecipe

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the YAML file holds them."""
        return asdict(self)


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: If the file is missing, is not YAML, or a key is unknown, missing or wrong.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise RecipeError(f'cannot read the recipe {path}: {error.strerror}') from error
    except yaml.YAMLError as error:
        raise RecipeError(f'{path} is not valid YAML: {error}') from error
    return recipe_from_dict(values)


def recipe_from_dict(values: Any) -> Recipe:
    """Check plain values and turn them into a recipe (raises :class:`RecipeError`)."""
    return _build(Recipe, values, prefix='')


def _build(cls: type, values: Any, *, prefix: str) -> Any:
    require(isinstance(values, dict), prefix.rstrip('.') or 'recipe', values, 'a mapping')
    hints = get_type_hints(cls)
    known = {field.name for field in fields(cls)}
    for key in values:
        require(key in known, f'{prefix}{key}', key, f'one of {sorted(known)}')
    arguments = {}
    for key in sorted(known):
        require(key in values, f'{prefix}{key}', None, 'a value; the key is missing')
        arguments[key] = _convert(hints[key], values[key], f'{prefix}{key}')
    return cls(**arguments)


def _convert(wanted: Any, value: Any, key: str) -> Any:
    if is_dataclass(wanted):
        return _build(wanted, value, prefix=f'{key}.')
    if get_origin(wanted) is tuple:
        require(isinstance(value, list | tuple), key, value, 'a list')
        return tuple(_convert(get_args(wanted)[0], item, key) for item in value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is float and number:
        return float(value)
    exact = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    require(exact, key, value, f'a value of type {wanted.__name__}')
    return value
