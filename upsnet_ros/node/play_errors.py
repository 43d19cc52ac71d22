# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the player of bags reports to its user."""

from upsnet_ros.core.errors import UpsnetError


class BagPlayError(UpsnetError):
    """A bag that cannot be played as asked, or that nobody listens to."""
