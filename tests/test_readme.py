# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The README says what the code says."""

import re
from pathlib import Path

from upsnet_ros.node.parameters import NodeParameters, parameter_rules

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()
CHANGES = {'live': 'live', 'unconfigured': 'unconfigured', 'never': 'at start'}


def shown(value: object) -> str:
    """A default as the table writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f'[{", ".join(shown(entry) for entry in value)}]'
    return str(value) or "''"


def test_the_parameter_table_is_complete_and_true() -> None:
    rows = re.findall(r'^\| `(\w+)` \| `(.*?)` \| (.*?) \| (.*) \|$', README, re.MULTILINE)
    defaults = NodeParameters()
    expected = [
        (name, shown(getattr(defaults, name)), CHANGES[rule.change], rule.description)
        for name, rule in parameter_rules().items()
    ]
    assert [(n, d, c, text.replace('`', '')) for n, d, c, text in rows] == expected


def test_pictures_and_linked_files_exist() -> None:
    links = re.findall(r'\]\(([^)#]+)\)', README)
    assert links
    missing = [
        link for link in links if not link.startswith('http') and not (ROOT / link).exists()
    ]
    assert missing == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    named = set(re.findall(r'\bmake ([a-z-]+)', README))
    assert named <= targets, named - targets
