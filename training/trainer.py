# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""State of a run, and one step of it: on one device or on many, whole or in parts."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from training.build import build_criterion, build_model, build_recipe_optimiser, build_schedule
from training.checkpoint import Checkpoint, load_weights
from training.data.sample import Sample
from training.data.sharded_batches import images_at_once
from training.distributed import Processes
from training.divergence import TrainingDiverged
from training.losses.criterion import Criterion
from training.losses.semantic_criterion import SemanticCriterion
from training.memory import memory_guard
from training.models.pspnet import PSPNet
from training.models.synchronise import synchronise_normalisation
from training.models.upsnet import UPSNet
from training.optimisation import AveragedWeights, keep_rate_in_momentum, set_rate
from training.recipe.recipe import Recipe

AUTOCAST = {'bfloat16': torch.bfloat16, 'float16': torch.float16}
LOWEST_SCALE = 1.0  # half precision that overflows at this scale overflows for good


class LossNetwork(nn.Module):
    """Network and losses as one module, which is what gradients are averaged around.

    Args:
        model: The network.
        criterion: Its losses.
    """

    def __init__(self, model: nn.Module, criterion: Criterion | SemanticCriterion) -> None:
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(self, batch: list[Sample]) -> dict[str, Tensor]:
        """Weighted losses of a batch by name."""
        return self.criterion(self.model, batch)


class Trainer:
    """A run: model, optimiser, averages and where it stands.

    Args:
        recipe: What to train.
        processes: This process among those that train together.
        initialise: Called with the new network, to give it other than random weights.

    Raises:
        RecipeError: If the processes do not divide the images of a step.
    """

    def __init__(
        self,
        recipe: Recipe,
        processes: Processes | None = None,
        *,
        initialise: Callable[[UPSNet | PSPNet], None] | None = None,
    ) -> None:
        self.recipe = recipe
        self.processes = processes or Processes(0, 1, torch.device('cpu'))
        device, values = self.processes.device, recipe.optimisation
        # Found out before the data is checked for minutes.
        images_at_once(
            values.batch_size,
            world=self.processes.world,
            accumulation=values.accumulation_steps,
        )
        torch.manual_seed(values.seed)
        model = build_model(recipe)
        if initialise is not None:
            initialise(model)
        model = synchronise_normalisation(model, device, world=self.processes.world)
        self.model = model.to(device, memory_format=torch.channels_last).train()
        self.network = self._average_gradients(LossNetwork(self.model, build_criterion(recipe)))
        self.optimiser = build_recipe_optimiser(recipe, self.model)
        self.schedule = build_schedule(recipe)
        self.scaler = torch.amp.GradScaler(device.type, enabled=values.precision == 'float16')
        decay = values.average_decay
        self.averaged = AveragedWeights(self.model, decay=decay) if decay else None
        self.step_count = 0
        self.seconds = 0.0
        self.best_quality = -1.0

    def _average_gradients(self, network: nn.Module) -> nn.Module:
        if self.processes.world == 1:
            return network
        device = self.processes.device
        # Statistics that each process gathers by itself are those of the first in evaluation.
        return DistributedDataParallel(
            network,
            device_ids=[device.index] if device.type == 'cuda' else None,
            broadcast_buffers=any(
                isinstance(module, nn.BatchNorm2d) and module.training
                for module in self.model.modules()
            ),
            gradient_as_bucket_view=True,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same recipe.

        Raises:
            ModelError: If the weights do not fit.
        """
        load_weights(self.model, checkpoint.model)
        self.optimiser.load_state_dict(checkpoint.optimiser)
        self.scaler.load_state_dict(checkpoint.scaler)
        if self.averaged is not None and checkpoint.averaged is not None:
            device = self.processes.device
            self.averaged.state = {k: v.to(device) for k, v in checkpoint.averaged.items()}
        self.step_count, self.seconds = checkpoint.step, checkpoint.seconds
        self.best_quality = checkpoint.best_quality

    def checkpoint(self) -> Checkpoint:
        """The state to go on from."""
        return Checkpoint(
            recipe=self.recipe,
            step=self.step_count,
            model=self.model.state_dict(),
            averaged=self.averaged.state if self.averaged else None,
            optimiser=self.optimiser.state_dict(),
            scaler=self.scaler.state_dict(),
            best_quality=self.best_quality,
            seconds=self.seconds,
        )

    @contextmanager
    def evaluated_weights(self) -> Iterator[nn.Module]:
        """The network in evaluation mode with the averaged weights, as it was afterwards."""
        trained = None
        if self.averaged is not None:
            trained = {key: value.clone() for key, value in self.model.state_dict().items()}
            self.model.load_state_dict(self.averaged.state)
        self.model.eval()
        try:
            yield self.model
        finally:
            if trained is not None:
                self.model.load_state_dict(trained)
            self.model.train()

    def step(self, parts: list[list[Sample]]) -> dict[str, float]:
        """One update of the weights.

        Args:
            parts: This process's images: as many lists as the recipe accumulates, equally long.

        Returns:
            Weighted losses, averaged over all images of all processes, their sum ``total``, the
            learning ``rate`` and the ``gradient`` norm.

        Raises:
            TrainingDiverged: If features, a loss or a gradient are not finite; the weights and
                their average are then as they were.
            MemoryExhausted: If the device's memory does not hold the step.
        """
        values = self.recipe.optimisation
        # Dropout, the only choice that no sample's seed decides.
        torch.manual_seed(values.seed + 1_000_003 * self.step_count + self.processes.rank)
        rate = self._set_rate()
        self.optimiser.zero_grad(set_to_none=True)
        device = self.processes.device
        with memory_guard(self.recipe, images=len(parts[0]), device=device):
            reports = [
                self._accumulate(
                    [sample.to(device) for sample in part], parts=len(parts), last=last
                )
                for part, last in zip(parts, _marks_last(parts), strict=True)
            ]
            norm = self._update([sample.name for part in parts for sample in part])
        report = {name: sum(r[name] for r in reports) / len(reports) for name in reports[0]}
        self.step_count += 1
        if self.averaged is not None and math.isfinite(norm):  # else the step was left out
            self.averaged.update(self.model, self.step_count)
        return report | {'total': sum(report.values()), 'rate': rate, 'gradient': norm}

    def _set_rate(self) -> float:
        rate = self.schedule.rate_at(self.step_count)
        caffe = self.recipe.optimisation.momentum_form == 'caffe'
        if caffe and self.step_count and not self.schedule.decays_at(self.step_count):
            old = self.schedule.rate_at(self.step_count - 1)
            keep_rate_in_momentum(self.optimiser, old=old, new=rate)
        set_rate(self.optimiser, rate)
        return rate

    def _accumulate(self, batch: list[Sample], *, parts: int, last: bool) -> dict[str, float]:
        """Add the gradient of one part; returns its losses, averaged over the processes."""
        precision, device = self.recipe.optimisation.precision, self.processes.device
        alone = nullcontext() if last or self.processes.world == 1 else self.network.no_sync()
        with alone:
            with torch.autocast(
                device.type, AUTOCAST.get(precision), enabled=precision in AUTOCAST
            ):
                losses = self.network(batch)
            report = self._report(losses, [sample.name for sample in batch])
            self.scaler.scale(torch.stack(list(losses.values())).sum() / parts).backward()
        return report

    def _report(self, losses: dict[str, Tensor], images: list[str]) -> dict[str, float]:
        own = torch.stack([loss.detach() for loss in losses.values()])
        mean = self.processes.mean(own).tolist()
        if all(math.isfinite(value) for value in mean):
            return dict(zip(losses, mean, strict=True))
        # Every process comes here together, so none waits for one that has stopped.
        for name, value in zip(losses, own.tolist(), strict=True):
            if not math.isfinite(value):
                raise TrainingDiverged(f'loss {name} is {value} at step {self.step_count}', images)
        raise TrainingDiverged(
            f'a loss of another process is not finite at step {self.step_count}', images
        )

    def _update(self, images: list[str]) -> float:
        """Change the weights; returns the norm of the gradient before it is clipped."""
        self.scaler.unscale_(self.optimiser)
        limit = self.recipe.optimisation.clip_gradient_norm or math.inf
        trained = [p for group in self.optimiser.param_groups for p in group['params']]
        norm = torch.nn.utils.clip_grad_norm_(trained, limit).item()
        # In half precision an overflow is expected now and then: the step is left out and the
        # scale lowered. It is an error only when there is nothing left to lower.
        overflow_expected = self.scaler.is_enabled() and self.scaler.get_scale() > LOWEST_SCALE
        if not math.isfinite(norm) and not overflow_expected:
            raise TrainingDiverged(f'the gradient is {norm} at step {self.step_count}', images)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return norm


def _marks_last(parts: list[list[Sample]]) -> list[bool]:
    return [index == len(parts) - 1 for index in range(len(parts))]
