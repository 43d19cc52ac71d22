# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real executable with the fake pipeline: `python -m tests.node.fake_node [--blocked]`.

With `--blocked` a frame in work never ends.
"""

import sys

from tests.node.fake_pipeline import FakeLoader, FakePipeline
from upsnet_ros.node.main import main


class BlockedLoader(FakeLoader):
    """Loads pipelines that do not come back from a frame."""

    def __call__(self, *args, **options) -> FakePipeline:
        pipeline = super().__call__(*args, **options)
        pipeline.gate.clear()
        return pipeline


if __name__ == '__main__':
    sys.exit(main(load_pipeline=BlockedLoader() if '--blocked' in sys.argv else FakeLoader()))
