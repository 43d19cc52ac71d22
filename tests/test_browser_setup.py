# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / '.ci'))

import browser  # noqa: E402
from steps import SetupError, Step  # noqa: E402


@pytest.fixture
def step(tmp_path) -> Step:
    step = Step('browser', folder=tmp_path, inputs='a', advice='look at it')
    step.begin()
    return step


def fake_node(folder: Path, script: str) -> Path:
    """A folder of a wheel whose `node` is a shell script."""
    (folder / 'bin').mkdir(parents=True)
    (folder / 'bin' / 'node').write_text(f'#!/bin/sh\n{script}\n')
    (folder / 'bin' / 'node').chmod(0o755)
    return folder


def test_the_versions_are_exact() -> None:
    wheel, package, digest = browser.wanted_versions()
    assert re.fullmatch(r'[a-z-]+==[\d.]+', wheel)
    assert re.fullmatch(r'@[a-z]+/[a-z]+@\d+\.\d+\.\d+', package)
    assert re.fullmatch('[0-9a-f]{64}', digest)


def test_another_archive_than_the_stated_one_is_not_unpacked(tmp_path, step, monkeypatch) -> None:
    monkeypatch.setattr(browser, 'FOLDER', tmp_path)
    node = fake_node(tmp_path / 'node', 'echo spoiled > package.tgz')
    with pytest.raises(SetupError, match='it is not used'):
        browser.download(step, node)


@pytest.mark.parametrize('found', [None, '/usr/bin/chromium'])
def test_on_other_processors_a_browser_of_the_machine_is_needed(monkeypatch, found) -> None:
    monkeypatch.setattr(browser.platform, 'machine', lambda: 'aarch64')
    monkeypatch.setattr(browser.shutil, 'which', lambda name: found)
    if found:
        browser.setup_browser()
    else:
        with pytest.raises(SetupError, match='(?s)packed for aarch64.*install the package chrom'):
            browser.setup_browser()
