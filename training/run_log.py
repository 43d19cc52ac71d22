# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run tells: a progress bar, CSV files, TensorBoard. Only the first process tells."""

import sys
from pathlib import Path
from types import TracebackType

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.csv_log import CsvLog

SMOOTHING = 0.95
LOG_FILE_INTERVAL = 10.0  # seconds between two states of the bar where nobody watches it
SHORT_NAMES = {
    'rpn_objectness': 'rpn',
    'rpn_box': 'rpnbox',
    'box_class': 'class',
    'box_regression': 'box',
    'mask': 'mask',
    'semantic': 'sem',
    'semantic_roi': 'roi',
    'panoptic': 'pan',
    'auxiliary': 'aux',
}


class RunLog:
    """Bar and files of a run.

    Args:
        folder: Receives ``losses.csv``, ``validation.csv`` and ``tensorboard/``.
        start: Steps already done.
        total: Steps of the run.
        is_first: Whether this process tells; the others stay silent.
    """

    def __init__(self, folder: Path, *, start: int, total: int, is_first: bool) -> None:
        self._is_first = is_first
        self._smooth: dict[str, float] = {}
        self._waited, self._passed = 0.0, 0.0
        self.bar = tqdm(
            total=total,
            initial=start,
            unit='step',
            dynamic_ncols=True,
            disable=not is_first,
            mininterval=0.1 if sys.stderr.isatty() else LOG_FILE_INTERVAL,
        )
        if is_first:
            self._losses = CsvLog(folder / 'losses.csv', start=start)
            self._validation = CsvLog(folder / 'validation.csv', start=start)
            self._board = SummaryWriter(str(folder / 'tensorboard'), purge_step=start + 1)

    def __enter__(self) -> 'RunLog':
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close bar and files."""
        self.bar.close()
        if self._is_first:
            self._losses.close()
            self._validation.close()
            self._board.close()

    @property
    def waiting_share(self) -> float:
        """Share of the time so far that was spent waiting for images, 0 to 1."""
        return self._waited / self._passed if self._passed else 0.0

    def step(self, step: int, report: dict[str, float], *, waited: float, passed: float) -> None:
        """Tell of one step.

        Args:
            step: Steps done, this one included.
            report: Losses, ``total``, ``rate`` and ``gradient``.
            waited: Seconds spent waiting for its images.
            passed: Seconds it took, waiting included.
        """
        self._waited, self._passed = self._waited + waited, self._passed + passed
        if not self._is_first:
            return
        for name, value in report.items():
            past = self._smooth.get(name, value)
            self._smooth[name] = SMOOTHING * past + (1 - SMOOTHING) * value
        parts = [
            f'{short} {self._smooth[name]:.2f}'
            for name, short in SHORT_NAMES.items()
            if name in self._smooth
        ]
        self.bar.set_postfix_str(
            f'loss {self._smooth["total"]:.3f} ({" ".join(parts)}) rate {report["rate"]:.1e} '
            f'data {self.waiting_share:.0%}',
            refresh=False,
        )
        self.bar.update()
        self._losses.write(step, report)
        for name, value in report.items():
            self._board.add_scalar(f'training/{name}', value, step)
        self._board.add_scalar('training/waiting_for_data', waited / max(passed, 1e-9), step)

    def validation(self, step: int, figures: dict[str, float]) -> None:
        """Tell of a validation."""
        if not self._is_first:
            return
        self._validation.write(step, figures)
        self._validation.flush()
        for name, value in figures.items():
            self._board.add_scalar(f'validation/{name}', value, step)
        text = ', '.join(f'{name} {value:.1f}' for name, value in figures.items())
        self.bar.write(f'step {step}: {text}')

    def picture(self, step: int, name: str, image_bgr: np.ndarray) -> None:
        """Put a uint8 ``[H, W, 3]`` BGR picture into the log."""
        if self._is_first:
            self._board.add_image(name, image_bgr[..., ::-1].copy(), step, dataformats='HWC')

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._is_first:
            self._losses.flush()
            self._board.flush()
