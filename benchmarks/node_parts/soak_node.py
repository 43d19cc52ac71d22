# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node of the soak: `python -m benchmarks.node_parts.soak_node ready|network ROS_ARGUMENTS`.

With `ready` every image is answered at once with a result of many objects, with `network` by the
shipped model.
"""

from __future__ import annotations

import sys

from benchmarks.node_parts.ready_pipeline import ReadyPipeline
from upsnet_ros.node.main import main as perception_node

INSTANCES = 20


def main() -> int:
    """Be the node; returns its exit status."""
    kind, *arguments = sys.argv[1:]
    if kind == 'network':
        return perception_node(arguments)
    return perception_node(
        arguments, load_pipeline=lambda *_, **__: ReadyPipeline(instances=INSTANCES)
    )


if __name__ == '__main__':
    sys.exit(main())
