# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads a page and checks that its tags nest."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

VOID_ELEMENTS = {'meta', 'link', 'img', 'source', 'br'}


class ReadPage(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ''
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def cells(self, column: int) -> list[str]:
        """The text of a column's cells in all tables."""
        rows = re.findall(r'<tr>(.*?)</tr>', self.source.replace('\n', ''))
        cells = [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in rows]
        texts = [row[column] for row in cells if len(row) > column]
        return [unescape(re.sub('<[^>]*>', '', text)) for text in texts]

    def assert_loads_nothing(self) -> None:
        without_pictures = re.sub(r'base64,[A-Za-z0-9+/=]+', '', self.source)
        assert not re.search(r'https?:|//[a-z]|@import|url\(', without_pictures)
        assert self.named('script') == []
        for image in self.named('img'):
            assert re.match(r'data:image/jpeg;base64,[A-Za-z0-9+/=]+$', image['src'])
            assert image['alt'] and image['width'] and image['height']
        assert [link['href'] for link in self.named('link')] == ['data:,']
