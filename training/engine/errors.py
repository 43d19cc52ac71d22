# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a graph that is to become an engine."""

from upsnet_ros.core.errors import ModelError


class GraphError(ModelError):
    """A graph that cannot be turned into the form that was asked for, or that TensorRT refuses.

    Attributes:
        problems: What is wrong, each with the name of its node.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        shown = '; '.join(problems[:5])
        more = f'; and {len(problems) - 5} more' if len(problems) > 5 else ''
        super().__init__(
            f'the graph does not fit TensorRT: {shown}{more}; expected a model.onnx that '
            'training.export of this version wrote: export the model again'
        )

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        """Keep the problems across process borders, where exceptions are pickled."""
        return type(self), self.problems
