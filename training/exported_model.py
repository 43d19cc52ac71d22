# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training goes on from an exported model: `model.onnx` back to the network that it came from.

The export folds normalisation into the convolutions before it. Here each gets one of its own
again, with the mean and the deviation that its channels have on rendered streets: what the network
answers stays the same, and where normalisation is trained, its batches find statistics like these.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.build import build_model
from training.checkpoint import Checkpoint, load_weights
from training.engine.golden_images import render_images
from training.export_wrapper import fuse_normalisation, normalised_layers
from training.models.upsnet import UPSNet
from training.onnx_graph import HALF
from training.recipe.errors import RecipeError
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.manifest import ModelManifest

MODEL = 'model.'  # before the names of the network's own tensors in the graph
STREETS = 4


def load_exported_model(path: Path) -> Checkpoint:
    """A checkpoint with the weights of an exported model, as exact as the file holds them.

    Args:
        path: `model.onnx`, beside its `model.json`.

    Raises:
        ModelError: If the file is damaged, or has not the tensors of its recipe's network.
        RecipeError: If the recipe in its manifest is of another version of the project.
    """
    manifest = ModelManifest.load(path)
    try:
        recipe = recipe_from_dict(dict(manifest.recipe))
    except RecipeError as error:
        raise RecipeError(
            f'the manifest of {path} holds a recipe of another version of this project: {error}'
        ) from error
    return Checkpoint.from_weights(recipe, weights_of(path, recipe))


def weights_of(path: Path, recipe: Recipe) -> dict[str, Tensor]:
    """The state dict of a recipe's network, from a graph that was exported of one like it.

    Raises:
        ModelError: If the graph has not the tensors of that network.
    """
    model = build_model(recipe).eval()
    if not isinstance(model, UPSNet):
        raise ModelError(f'{path} is no exported UPSNet: its recipe is of another network')
    fused = fuse_normalisation(model)
    names = fused.state_dict()
    tensors = {}
    for entry in onnx.load(path).graph.initializer:
        name = entry.name.removeprefix(MODEL).removesuffix(HALF)
        if name in names:
            tensors[name] = torch.from_numpy(numpy_helper.to_array(entry).astype(np.float32))
    load_weights(fused, tensors)
    model.load_state_dict(tensors, strict=False)  # all but what took in the normalisation
    outputs = _outputs_on_streets(fused, (recipe.data.input_height, recipe.data.input_width))
    for conv, norm in normalised_layers(model.backbone):
        layer = model.backbone.get_submodule(norm)
        if isinstance(layer, nn.BatchNorm2d) and conv in outputs:
            _unfold(layer, outputs[conv], bias=tensors[f'backbone.{conv}.bias'])
    return model.state_dict()


def _outputs_on_streets(fused: UPSNet, size: tuple[int, int]) -> dict[str, Tensor]:
    """What the folded convolutions make of some streets: ``[C, N]`` by their names."""
    found: dict[str, list[Tensor]] = {}

    def listen(name: str) -> None:
        def keep(_layer: nn.Module, _inputs: object, out: Tensor) -> None:
            found.setdefault(name, []).append(out.transpose(0, 1).flatten(1))

        fused.backbone.get_submodule(name).register_forward_hook(keep)

    for conv, norm in normalised_layers(fused.backbone):
        if isinstance(fused.backbone.get_submodule(norm), nn.Identity):
            listen(conv)
    with torch.no_grad():
        for image in render_images(STREETS):
            geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=size)
            pixels = torch.from_numpy(place_image(image, geometry)).permute(2, 0, 1)[None]
            fused.backbone(fused.normalise(pixels.float()))
    return {name: torch.cat(parts, dim=1) for name, parts in found.items()}


def _unfold(norm: nn.BatchNorm2d, outputs: Tensor, *, bias: Tensor) -> None:
    """Have a layer add a folded bias and change nothing else, where its input is as seen.

    With mean m and variance v of the input, (x - m) / sqrt(v + eps) * sqrt(v + eps) + m + bias.
    """
    variance, mean = torch.var_mean(outputs, dim=1, correction=0)
    with torch.no_grad():
        norm.running_mean.copy_(mean - bias)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)
