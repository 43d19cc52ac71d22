# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The seam of inference: networks, their recipes and options become a labeller."""

from dataclasses import dataclass
from typing import Any

from training.inference.fixed_input import FixedInput
from training.inference.labeller import Labeller
from training.inference.merge_heuristic import MergeHeuristic
from training.inference.options import InferenceOptions
from training.inference.oracles import BOXES, CLASSES
from training.inference.predictor import Predictor
from training.inference.views import View, make_views, multi_scale_sides
from training.models.detections import select_candidates, select_detections
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe
from training.torch_backend import TorchBackend
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead

HEURISTIC_PARAMETERS = (
    'score_threshold',
    'mask_overlap_threshold',
    'stuff_area_limit',
    'label_resolution',
)


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode, with the recipe it was trained by."""

    model: UPSNet | PSPNet
    recipe: Recipe

    @property
    def has_instances(self) -> bool:
        """Whether it finds instances."""
        return isinstance(self.model, UPSNet)

    @property
    def has_semantics(self) -> bool:
        """Whether it has a semantic head."""
        return isinstance(self.model, PSPNet) or self.model.semantic_head is not None


def build_labeller(
    network: TrainedNetwork,
    options: InferenceOptions,
    *,
    semantic: TrainedNetwork | None = None,
    find_detections: bool = False,
) -> Labeller:
    """Put together what labels images.

    Args:
        network: UPSNet, Mask R-CNN or PSPNet.
        options: What to do other than the recipe says.
        semantic: Network whose semantic logits take the place of the first one's, as in
            MR-CNN-PSP.
        find_detections: Whether its answers hold what average precision is measured on.

    Raises:
        ParameterError: If the options cannot be had with these networks.
        ModelError: If the networks do not belong together.
    """
    _check_networks(network, semantic)
    kind = options.head or network.recipe.panoptic_head.kind
    _check_options(network, options, kind=kind, semantic=semantic)
    head = build_head(
        network.recipe.data.label_set,
        network.recipe.panoptic_head.parameters(),
        options,
        kind=kind,
    )
    if options.fixed_input:
        data = network.recipe.data
        size = (data.input_height, data.input_width)
        backend = TorchBackend(network.model, input_size=size)
        return Labeller(FixedInput(backend, find_detections=find_detections), head)
    predictor = _build_predictor(
        network, options, kind=kind, semantic=semantic, find_detections=find_detections
    )
    return Labeller(predictor, head)


def build_head(
    label_set: LabelSet, parameters: dict[str, Any], options: InferenceOptions, *, kind: str
) -> PanopticHead | MergeHeuristic:
    """The head of a test.

    Args:
        label_set: The classes.
        parameters: Keyword arguments of ``PanopticHead``.
        options: What to change in them. With true boxes no instance is left out for its score;
            with true classes none is handed to stuff by the majority rule.
        kind: ``'unified'`` or ``'heuristic'``.
    """
    values = dict(parameters)
    if options.instance_class is not None:
        values['instance_class'] = options.instance_class
    if options.predict_unknown is not None:
        values['predict_unknown'] = options.predict_unknown
    if BOXES in options.oracles:
        values['score_threshold'] = 0.0
    if CLASSES in options.oracles:
        values['instance_class'] = options.instance_class or 'detection'
    if kind == 'unified':
        return PanopticHead(label_set, **values)
    return MergeHeuristic(label_set, **{name: values[name] for name in HEURISTIC_PARAMETERS})


def _build_predictor(
    network: TrainedNetwork,
    options: InferenceOptions,
    *,
    kind: str,
    semantic: TrainedNetwork | None,
    find_detections: bool,
) -> Predictor:
    data = network.recipe.data
    short_side = options.short_side or data.test_short_side
    max_long_side = options.max_long_side or max(data.test_max_long_side, short_side)
    if max_long_side < short_side:
        raise ParameterError(
            f'--max-long-side is {max_long_side}, expected at least the short side, {short_side}'
        )
    sides = multi_scale_sides(data.label_set.name, short_side) if options.multi_scale else ()
    seeing = semantic or network
    window = options.window
    if window is None:
        window = seeing.recipe.data.train_crop if isinstance(seeing.model, PSPNet) else 0
    return Predictor(
        network.model,
        short_side=short_side,
        max_long_side=max_long_side,
        select=select_candidates if kind == 'unified' else select_detections,
        semantic_model=semantic.model if semantic else None,
        views=make_views(View(short_side, max_long_side), short_sides=sides, flip=options.flip),
        window=window,
        oracles=options.oracles,
        find_detections=find_detections,
    )


def _check_networks(network: TrainedNetwork, semantic: TrainedNetwork | None) -> None:
    """Raise ModelError unless a pair has both halves and one label set."""
    if semantic is None:
        return
    if not network.has_instances or not semantic.has_semantics:
        raise ModelError(
            f'--model is a {network.recipe.model.network}, --semantic-model a '
            f'{semantic.recipe.model.network}: expected an upsnet or mask_rcnn, and a pspnet or '
            'upsnet; exchange the two files'
        )
    if network.recipe.data.label_set != semantic.recipe.data.label_set:
        raise ModelError(
            f"--model was trained on label set '{network.recipe.data.label_set.name}', "
            f"--semantic-model on '{semantic.recipe.data.label_set.name}'; expected the same "
            'classes'
        )


def _check_options(
    network: TrainedNetwork,
    options: InferenceOptions,
    *,
    kind: str,
    semantic: TrainedNetwork | None,
) -> None:
    """Raise ParameterError for options that these networks cannot have."""
    name = network.recipe.model.network
    whole = network.has_instances and (network.has_semantics or semantic is not None)
    if kind == 'unified' and not whole:
        raise ParameterError(
            f"--head unified needs an instance and a semantic half, and network '{name}' has one "
            'of them: expected --head heuristic, or a second network with --semantic-model'
        )
    rules = options.rules_of_unified_head
    if kind == 'heuristic' and rules:
        raise ParameterError(
            f'{" and ".join(rules)} with the merge heuristic, which has no such rule: expected '
            '--head unified'
        )
    if BOXES in options.oracles and not network.has_instances:
        raise ParameterError(f"--oracle boxes has no use for network '{name}', without instances")
    averaging = options.multi_scale or options.flip or options.window
    if averaging and not network.has_semantics and semantic is None:
        raise ParameterError(
            f"--multi-scale, --flip and --window average semantic logits, and network '{name}' "
            'has none; expected --semantic-model beside it'
        )
    if options.fixed_input and (semantic is not None or kind == 'heuristic' or not whole):
        raise ParameterError(
            '--fixed-input is for one network with the unified head, as it is exported: expected '
            f"an upsnet without --semantic-model and --head unified, got '{name}', head '{kind}'"
        )
