# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Schedules, parameter groups and Caffe's momentum, against literal loops."""

import pytest
import torch
from torch import nn

from training.optimisation import (
    AveragedWeights,
    Schedule,
    build_optimiser,
    keep_rate_in_momentum,
    set_rate,
)

PUBLISHED = Schedule(rate=0.02, steps=120, warmup=15, shape='step', decay_at=(90, 110))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).double()


def gradients(model: nn.Module, step: int) -> None:
    """Put gradients that depend on the step and on the weights into the parameters."""
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.grad = noise + 0.3 * parameter.detach()


def literal_caffe(schedule: Schedule, steps: int) -> list[torch.Tensor]:
    """V <- 0.9 V + m rate (g + decay p); p <- p - V; V / 10 where the rate decays."""
    model = small_network()
    values = [torch.zeros_like(p) for p in model.parameters()]
    for step in range(steps):
        if step in schedule.decay_at:
            values = [v / 10 for v in values]
        gradients(model, step)
        for index, parameter in enumerate(model.parameters()):
            bias = parameter.ndim == 1
            rate = schedule.rate_at(step) * (2 if bias else 1)
            gradient = parameter.grad + (0 if bias else 1e-2) * parameter.detach()
            values[index] = 0.9 * values[index] + rate * gradient
            parameter.data -= values[index]
    return [p.detach() for p in model.parameters()]


def ours(schedule: Schedule, steps: int, *, caffe: bool) -> list[torch.Tensor]:
    model = small_network()
    optimiser = build_optimiser(
        model, kind='sgd', momentum=0.9, weight_decay=1e-2, bias_multiplier=2.0
    )
    for step in range(steps):
        gradients(model, step)
        if caffe and step and not schedule.decays_at(step):
            old, new = schedule.rate_at(step - 1), schedule.rate_at(step)
            keep_rate_in_momentum(optimiser, old=old, new=new)
        set_rate(optimiser, schedule.rate_at(step))
        optimiser.step()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize('steps', [1, 2, 15, 16, 120])
def test_caffe_momentum_equals_its_literal_form(steps: int) -> None:
    expected = literal_caffe(PUBLISHED, steps)
    for mine, theirs in zip(ours(PUBLISHED, steps, caffe=True), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_the_two_forms_differ_while_warming_up() -> None:
    pairs = zip(ours(PUBLISHED, 15, caffe=True), ours(PUBLISHED, 15, caffe=False), strict=True)
    assert max((a - b).abs().max().item() for a, b in pairs) > 1e-4


def test_warm_up_starts_at_a_tenth() -> None:
    assert PUBLISHED.rate_at(0) == pytest.approx(0.002)
    assert PUBLISHED.rate_at(15) == pytest.approx(0.02)
    assert PUBLISHED.rate_at(90) == pytest.approx(0.002)
    assert PUBLISHED.rate_at(110) == pytest.approx(0.0002)
    assert [step for step in range(120) if PUBLISHED.decays_at(step)] == [90, 110]


def test_without_warm_up_the_first_rate_is_the_full_one() -> None:
    schedule = Schedule(rate=0.01, steps=100, warmup=0, shape='poly')
    assert schedule.rate_at(0) == pytest.approx(0.01)
    assert schedule.rate_at(50) == pytest.approx(0.01 * 0.5**0.9)
    assert schedule.rate_at(100) == 0


def test_groups_cover_every_trained_parameter_once() -> None:
    model = small_network()
    model[0].weight.requires_grad_(False)
    optimiser = build_optimiser(
        model, kind='sgd', momentum=0.9, weight_decay=1e-4, bias_multiplier=2.0
    )
    grouped = [id(p) for group in optimiser.param_groups for p in group['params']]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    weights, biases = optimiser.param_groups
    assert (weights['weight_decay'], biases['weight_decay']) == (1e-4, 0.0)
    set_rate(optimiser, 0.5)
    assert (weights['lr'], biases['lr']) == (0.5, 1.0)


def test_averaged_weights_follow_and_count_early_steps_more() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
        averaged = AveragedWeights(model, decay=0.9)
        model.weight.fill_(1.0)
        averaged.update(model, 1)
        assert averaged.state['weight'].item() == pytest.approx(1 - 2 / 11)
        averaged.update(model, 10_000)
    assert averaged.state['weight'].item() == pytest.approx(1 - 0.9 * 2 / 11)
