# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision, whichever tool measured it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class AveragePrecision:
    """Figures in percent; None where there is no true object to find, or no such figure.

    Attributes:
        ap: Mean over classes and over overlaps from 0.5 to 0.95.
        ap50: At an overlap of 0.5.
        ap75: At an overlap of 0.75.
        small: Of objects below 32 x 32 pixels.
        medium: Of objects between these.
        large: Of objects of 96 x 96 pixels and more.
        per_class: ``ap`` of each class by its name.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    per_class: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
