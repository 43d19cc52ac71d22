# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a network is worth in the middle of a run, in figures and in pictures."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from training.data.formats import open_data_set
from training.distributed import Processes
from training.evaluation.model_evaluation import evaluate_model
from training.evaluation.totals import Evaluation
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.options import InferenceOptions
from training.recipe.recipe import Recipe
from upsnet_ros.core.overlay import colour_label_image, draw_overlay

PICTURES = 3
PICTURE_WIDTH = 512  # pixels of each of the three panels


class Validation:
    """Labels images of the validation split and compares them with their truth.

    The images are shared among the processes, and their counts added.

    Args:
        recipe: The run's recipe.
        data: Folder of the data set.
        processes: This process among those that train together.

    Raises:
        DataError: If there is no such split.
    """

    decisive = 'pq'  # the figure by which the best checkpoint is chosen

    def __init__(self, recipe: Recipe, data: Path, processes: Processes) -> None:
        self.recipe = recipe
        self.processes = processes
        self.label_set = recipe.data.label_set
        values = recipe.data
        self.reader = open_data_set(data, values.format, self.label_set, values.places)
        frames = self.reader.frames(values.validation_split)
        # Spread over the split, because neighbours in it are often of one street.
        count = min(recipe.monitoring.validation_images or len(frames), len(frames))
        self.frames = [frames[index * len(frames) // count] for index in range(count)]

    def figures(self, model: nn.Module) -> dict[str, float]:
        """Panoptic, segmentation and recognition quality, and mean IoU of the semantic head [%].

        Args:
            model: The network in evaluation mode.

        Raises:
            UpsnetError: If a file cannot be read.
        """
        own = evaluate_model(
            model,
            self.recipe,
            self.frames,
            self.reader,
            rank=self.processes.rank,
            world=self.processes.world,
        )
        total = self.processes.total(torch.from_numpy(own.state())).cpu().numpy()
        return Evaluation.from_state(self.label_set, total).figures()

    def pictures(self, model: nn.Module) -> Iterator[tuple[str, np.ndarray]]:
        """Names and BGR pictures: image with labels, labels, truth, side by side."""
        labeller = build_labeller(TrainedNetwork(model, self.recipe), InferenceOptions())
        for frame in self.frames[:PICTURES]:
            image = self.reader.read_image(frame)
            truth = self.reader.read_label_image(frame)
            result = labeller.label(image).panoptic
            panels = (
                draw_overlay(
                    image, result.label_image, self.label_set, instances=result.instances
                ),
                colour_label_image(result.label_image, self.label_set),
                colour_label_image(truth, self.label_set),
            )
            yield frame.name, np.hstack([_at_width(panel) for panel in panels])


def _at_width(picture: np.ndarray) -> np.ndarray:
    height = max(round(picture.shape[0] * PICTURE_WIDTH / picture.shape[1]), 1)
    return cv2.resize(picture, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
