# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium driven over its DevTools pipe, with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

INSTALLED = Path(__file__).parents[2] / '.venv' / 'browser' / 'chromium' / 'chromium'
OTHERS = ('chromium', 'chromium-browser', 'google-chrome')
SECONDS = 60.0  # for the browser to start, and for a page to load
OPTIONS = (
    '--headless',
    '--no-sandbox',  # refused to root otherwise
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--no-first-run',
    '--remote-debugging-pipe',
)
# Descriptors 3 and 4 are where the browser reads commands and writes answers.
LAUNCHER = """
import os, sys
read, write = (os.dup2(int(fd), 100 + i) for i, fd in enumerate(sys.argv[1:3]))
os.dup2(read, 3)
os.dup2(write, 4)
os.closerange(5, 110)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(Exception):
    """The browser is missing, did not answer, or refused a command."""


def find_chromium() -> Path:
    """The browser of `make setup-browser`, or else one of the machine.

    Raises:
        BrowserError: there is none.
    """
    if INSTALLED.is_file():
        return INSTALLED
    found = next(filter(None, map(shutil.which, OTHERS)), None)
    if found is None:
        raise BrowserError(
            f'no browser: neither {INSTALLED} nor any of {", ".join(OTHERS)}. Run `make '
            'setup-browser`, or install the package chromium'
        )
    return Path(found)


class Page:
    """One page of the browser, and everything it said and asked for."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.messages: list[str] = []
        self.requests: list[str] = []
        for name in ('Page', 'Runtime', 'Log', 'Network'):
            self.command(f'{name}.enable')

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer; what happens meanwhile is written down."""
        return self._browser.command(
            method, session=self._session, on_event=self._note, **parameters
        )

    def _note(self, event: dict[str, Any]) -> None:
        """Remember messages, errors and requests of the page."""
        method, what = event['method'], event['params']
        if method == 'Runtime.consoleAPICalled':
            words = [str(one.get('value', one.get('description'))) for one in what['args']]
            self.messages.append(f'{what["type"]}: {" ".join(words)}')
        elif method == 'Runtime.exceptionThrown':
            self.messages.append(f'exception: {what["exceptionDetails"]["text"]}')
        elif method == 'Log.entryAdded':
            self.messages.append(f'{what["entry"]["level"]}: {what["entry"]["text"]}')
        elif method == 'Network.requestWillBeSent':
            self.requests.append(what['request']['url'])

    def open(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Show a file in a window of so many CSS pixels, and wait until it is loaded.

        Raises:
            BrowserError: it did not load.
        """
        self.command(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.command('Emulation.setEmulatedMedia', features=[scheme])
        answer = self.command('Page.navigate', url=path.resolve().as_uri())
        if 'errorText' in answer:
            raise BrowserError(f'{path} did not load: {answer["errorText"]}')
        end = time.monotonic() + SECONDS
        while self.evaluate('document.readyState') != 'complete':
            if time.monotonic() > end:
                raise BrowserError(f'{path} was not loaded after {SECONDS:.0f} s')
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript; promises are awaited.

        Raises:
            BrowserError: it threw.
        """
        answer = self.command(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        if 'exceptionDetails' in answer:
            raise BrowserError(f'{expression} threw {answer["exceptionDetails"]}')
        return answer['result'].get('value')

    def screenshot(self, *, width: int, height: int) -> bytes:
        """The upper left part of the page, whether in view or not, as PNG."""
        clip = {'x': 0, 'y': 0, 'width': width, 'height': height, 'scale': 1}
        answer = self.command(
            'Page.captureScreenshot', format='png', clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(answer['data'])


class Browser:
    """A running Chromium; a context manager.

    Args:
        program: Its path.
        profile: Folder for its profile and its log.
    """

    def __init__(self, program: Path, profile: Path) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        self._pending = b''
        self._number = 0
        self._log = profile / 'log.txt'
        launcher = [sys.executable, '-c', LAUNCHER, str(commands), str(answers), str(program)]
        with self._log.open('wb') as log:
            self._process = subprocess.Popen(
                [*launcher, *OPTIONS, f'--user-data-dir={profile}'],
                pass_fds=(commands, answers),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=variables_for(program, profile),
            )
        os.close(commands)
        os.close(answers)

    def __enter__(self) -> Browser:
        """Nothing is left to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def new_page(self) -> Page:
        """An empty page."""
        target = self.command('Target.createTarget', url='about:blank')['targetId']
        answer = self.command('Target.attachToTarget', targetId=target, flatten=True)
        return Page(self, answer['sessionId'])

    def command(
        self, method: str, *, session: str | None = None, on_event: Any = None, **parameters: Any
    ) -> dict[str, Any]:
        """Send a command and wait for its answer.

        Raises:
            BrowserError: the browser refused it, ended, or did not answer in time.
        """
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if session:
            message['sessionId'] = session
        os.write(self._out, json.dumps(message).encode() + b'\0')
        end = time.monotonic() + SECONDS
        while True:
            answer = self._next_message(end, method)
            if answer.get('id') == self._number:
                if 'error' in answer:
                    raise BrowserError(f'{method} was refused: {answer["error"]}')
                return answer['result']
            if on_event and answer.get('sessionId') == session and 'method' in answer:
                on_event(answer)

    def _next_message(self, end: float, method: str) -> dict[str, Any]:
        """The next message of the browser."""
        while b'\0' not in self._pending:
            ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b''
            if not data:
                said = self._log.read_text(errors='replace')[-2000:]
                raise BrowserError(f'no answer to {method} within {SECONDS:.0f} s. Log:\n{said}')
            self._pending += data
        line, self._pending = self._pending.split(b'\0', 1)
        return json.loads(line)


def variables_for(program: Path, profile: Path) -> dict[str, str]:
    """Environment of the browser; the installed one brings its libraries and a font."""
    variables = {**os.environ, 'HOME': str(profile)}
    if program == INSTALLED:
        libraries = [
            str(program.parent / 'lib'),
            *filter(None, [os.environ.get('LD_LIBRARY_PATH')]),
        ]
        variables['LD_LIBRARY_PATH'] = os.pathsep.join(libraries)
        variables['FONTCONFIG_FILE'] = str(program.parent / 'fonts.conf')
    return variables
