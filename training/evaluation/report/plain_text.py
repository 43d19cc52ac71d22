# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Text of unknown origin (names of frames, paths, messages) made harmless for a document."""

import html
import re
from collections.abc import Iterator
from typing import Any

MARKDOWN_SIGNS = re.compile(r'([\\`*_\[\]|~#])')


def one_line(text: Any) -> str:
    """A value as one line that every encoder takes; what is not printable becomes ``?``."""
    folded = ' '.join(str(text).split())
    return ''.join(sign if sign.isprintable() else '?' for sign in folded)


def html_text(text: Any) -> str:
    """A value as text of a page, also inside a quoted attribute."""
    return html.escape(one_line(text))


def markdown_text(text: Any) -> str:
    """A value as text of a Markdown cell or line."""
    return MARKDOWN_SIGNS.sub(r'\\\1', html.escape(one_line(text), quote=False))


def facts(values: dict[str, Any], prefix: str = '') -> Iterator[tuple[str, str]]:
    """Name and value of all settings but those that are None, nested ones as ``outer.inner``.

    Args:
        values: Plain JSON values.
        prefix: Before each name.
    """
    for name, value in values.items():
        if isinstance(value, dict):
            yield from facts(value, f'{prefix}{name}.')
        elif isinstance(value, list | tuple):
            yield f'{prefix}{name}', ', '.join(map(str, value)) or 'none'
        elif value is not None:
            yield f'{prefix}{name}', str(value)
