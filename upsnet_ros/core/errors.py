# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The errors this package raises on purpose.

Every message says what was received, what was expected and what to do about it. Anything else that
escapes is a defect of this package.
"""

from __future__ import annotations

from pathlib import Path


class UpsnetError(Exception):
    """Base of all errors raised on purpose, so that one `except` can keep a node serving."""


class ImageError(UpsnetError):
    """An image or an image message that cannot be used."""


class LabelError(UpsnetError):
    """A label map or a label set that breaks its own rules."""


class ModelError(UpsnetError):
    """A model that is missing, altered, or whose outputs are not what its manifest promises."""


class DeviceLostError(ModelError):
    """A device that answers this process no more, whatever is tried; only a new process helps."""


class StaleEngineError(ModelError):
    """An engine that was built for another computer, driver, TensorRT or model.

    Attributes:
        engine_path: the engine.
        problems: what does not fit, one line each.
        command: the command line that builds it anew.
    """

    def __init__(self, engine_path: Path, problems: tuple[str, ...], command: str) -> None:
        """Build the message from the attributes."""
        self.engine_path = engine_path
        self.problems = problems
        self.command = command
        lines = '\n'.join(f'  - {problem}' for problem in problems)
        super().__init__(
            f"engine '{engine_path}' does not fit this computer:\n{lines}\nbuild it again here, "
            f'which takes minutes: {command}'
        )

    def __reduce__(self) -> tuple[type, tuple[Path, tuple[str, ...], str]]:
        """Keep the attributes across process borders, where exceptions are pickled."""
        return type(self), (self.engine_path, self.problems, self.command)


class FieldError(ModelError):
    """A field of a file beside a model that is missing or malformed.

    Subclasses say in `file` what the file is called and in `remedy` what to do.

    Attributes:
        field: dotted path of the field, for example `input.height`.
        received: what the field held.
        expected: what it should hold, in words.
    """

    file = 'file'
    remedy = 'write the file again'

    def __init__(self, field: str, received: object, expected: str) -> None:
        """Build the message from the three attributes."""
        self.field = field
        self.received = received
        self.expected = expected
        super().__init__(
            f"{self.file} field '{field}': received {shorten(received)}, expected {expected}; "
            f'{self.remedy}'
        )

    def __reduce__(self) -> tuple[type, tuple[str, object, str]]:
        """Keep the three attributes across process borders, where exceptions are pickled."""
        return type(self), (self.field, self.received, self.expected)


class ManifestError(FieldError):
    """A field of `model.json` that is missing, malformed or does not fit the model file."""

    file = 'model manifest'
    remedy = 'export the model again, or use the manifest that was written with it'


class ParameterError(UpsnetError):
    """A parameter value that is impossible."""


class BagError(UpsnetError):
    """A bag that cannot be read, or that lacks a topic that is needed."""


class ReplayError(UpsnetError):
    """A live replay that could not be started or carried through."""


class EvaluationError(UpsnetError):
    """A replay whose results cannot be evaluated."""


def shorten(value: object, *, limit: int = 120) -> str:
    """Return the value's representation, cut so that one bad field cannot flood a log."""
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
