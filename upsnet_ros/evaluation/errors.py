# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in an evaluation; every message says what was expected and what to do."""

from upsnet_ros.core.errors import UpsnetError


class BagError(UpsnetError):
    """A bag that cannot be read, or that lacks a topic that is needed."""


class ReplayError(UpsnetError):
    """A live replay that could not be started or carried through."""


class EvaluationError(UpsnetError):
    """A replay whose results cannot be evaluated."""
