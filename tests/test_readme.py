# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""README and CONTRIBUTING name files and targets that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ('README.md', 'CONTRIBUTING.md')
TEXT = '\n'.join((ROOT / page).read_text() for page in PAGES)


def test_pictures_and_linked_files_exist() -> None:
    links = re.findall(r'\]\(([^)#]+)\)', TEXT)
    assert links
    missing = [
        link for link in links if not link.startswith('http') and not (ROOT / link).exists()
    ]
    assert missing == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    named = set(re.findall(r'\bmake ([a-z-]+)', TEXT))
    assert named <= targets, named - targets
