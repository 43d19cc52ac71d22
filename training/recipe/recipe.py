# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole recipe, and the contradictions between its sections."""

from dataclasses import asdict, dataclass
from typing import Any

from training.recipe.data import DataRecipe
from training.recipe.errors import require
from training.recipe.initial import InitialRecipe
from training.recipe.losses import LossRecipe
from training.recipe.model import ModelRecipe, PspNetRecipe
from training.recipe.monitoring import MonitoringRecipe
from training.recipe.optimisation import OptimisationRecipe
from training.recipe.panoptic_head import PanopticHeadRecipe


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    name: str
    model: ModelRecipe | PspNetRecipe
    data: DataRecipe
    losses: LossRecipe
    optimisation: OptimisationRecipe
    initial: InitialRecipe
    monitoring: MonitoringRecipe
    panoptic_head: PanopticHeadRecipe

    def __post_init__(self) -> None:
        network, losses = self.model.network, self.losses
        if network != 'upsnet':
            for key in ('semantic_roi', 'panoptic'):
                reason = f"0, because model.network is '{network}'"
                require(getattr(losses, key) == 0, f'losses.{key}', getattr(losses, key), reason)
        semantic = network != 'mask_rcnn'
        reason = f"{'above 0' if semantic else '0'}, because model.network is '{network}'"
        require((losses.semantic > 0) == semantic, 'losses.semantic', losses.semantic, reason)
        pspnet = network == 'pspnet'
        reason = f"0, because model.network is '{network}'"
        require(pspnet or not losses.auxiliary, 'losses.auxiliary', losses.auxiliary, reason)
        crop = self.data.train_crop
        require(pspnet or crop == 0, 'data.train_crop', crop, reason)
        head = self.panoptic_head
        require(
            network == 'upsnet' or head.kind == 'heuristic',
            'panoptic_head.kind',
            head.kind,
            f"'heuristic', because model.network is '{network}'",
        )
        self._check_label_set()
        self._check_pretrained()

    def _check_label_set(self) -> None:
        network, labels = self.model.network, self.data.label_set
        pspnet = network == 'pspnet'
        for kind, number, needed in (
            ('thing', labels.num_things, not pspnet),
            ('stuff', labels.num_stuff, network == 'upsnet'),
        ):
            require(
                number > 0 or not needed,
                'data.label_set',
                labels.name,
                f"a label set with {kind} classes, because model.network is '{network}'"
                + ('; stuff alone is trained with a PSPNet' if kind == 'thing' else ''),
            )
        keep = self.data.images_without_things
        require(
            labels.num_things > 0 or keep == 'keep',
            'data.images_without_things',
            keep,
            f"'keep', because the label set '{labels.name}' has no things",
        )

    def _check_pretrained(self) -> None:
        weights, model = self.initial.weights, self.model
        fitting = {'caffe': ('1x1', 'caffe'), 'torchvision': ('3x3', 'torchvision')}
        if weights in fitting:
            stride, pixels = fitting[weights]
            because = f"because initial.weights is '{weights}'"
            require(
                model.stride_in == stride,
                'model.stride_in',
                model.stride_in,
                f"'{stride}', {because}",
            )
            require(model.pixels == pixels, 'model.pixels', model.pixels, f"'{pixels}', {because}")
        if weights == 'none':
            because = "because initial.weights is 'none' and nothing else would train them"
            right = model.normalisation != 'frozen' and not model.frozen_stages
            keys = f'{model.normalisation!r} and {model.frozen_stages}'
            expected = f"'batch' or 'synchronised', and 0 frozen stages, {because}"
            require(right, 'model.normalisation and model.frozen_stages', keys, expected)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the YAML file holds them (the label set written out)."""
        values = asdict(self)
        values['data']['label_set'] = self.data.label_set.to_dict()
        return values
