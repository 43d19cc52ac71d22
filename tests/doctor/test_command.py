# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command: its lines, its JSON, its exit status, and that nothing ends it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.core.model_files import ENGINE_SUFFIX
from upsnet_ros.core.own_process import STOPPING
from upsnet_ros.doctor import __main__ as command
from upsnet_ros.doctor import checks
from upsnet_ros.doctor.__main__ import format_finding, format_summary, show_status, to_json
from upsnet_ros.doctor.checks import CHECKS, Check, run_checks
from upsnet_ros.doctor.finding import Level, doubtful, fine, wrong

ROOT = Path(__file__).parents[2]
LINE = re.compile(r'(ok|warning|error) +[^:]+: .+')


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ['-c', code] if code else ['-m', 'upsnet_ros.doctor']
    return subprocess.run(
        [sys.executable, *start, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120
    )


# --- command line


def test_cameras_and_their_size_are_read_and_checked(capsys) -> None:
    options = command.parse_arguments(['--cameras', '4', '--camera-size', '1920x1080'])
    assert (options.cameras, options.camera_size) == (4, (1920, 1080))
    assert command.parse_arguments([]).camera_size == (2048, 1024)
    for arguments, text in (
        (['--camera-size', '1920'], 'such as 1920x1080'),
        (['--cameras', '0'], 'at least 1'),
        (['--cameras', '999'], 'share the cameras among several nodes'),
    ):
        with pytest.raises(SystemExit, match='2'):
            command.parse_arguments(arguments)
        assert text in capsys.readouterr().err


# --- real runs


def test_the_shipped_model_on_this_computer() -> None:
    answer = run('--json', '--frames', '1')
    report = json.loads(answer.stdout)
    assert answer.returncode == 0, answer.stdout
    assert report['counts']['error'] == 0
    found = {entry['what']: entry for entry in report['findings']}
    assert {entry['check'] for entry in report['findings']} == {check.name for check in CHECKS} - {
        'engine trial',
        'comparison',
    }
    assert found['model']['values']['name'] == 'upsnet_tiny_streets'
    assert found['labels']['values']['instances'] >= 3
    assert found['speed']['values']['inference_ms'] > 1.0
    assert report['model'].endswith('upsnet_tiny_synthetic/model.onnx')


def test_an_error_gives_status_1_and_what_depends_on_it_is_not_tried(tmp_path) -> None:
    answer = run('--model', str(tmp_path / 'none.engine'), '--no-speed')
    assert answer.returncode == 1 and answer.stderr == ''
    *lines, empty, summary = answer.stdout.splitlines()
    assert empty == '' and re.fullmatch(r'\d+ ok, \d+ warnings?, \d+ errors?', summary)
    assert all(LINE.fullmatch(line) for line in lines)
    assert '\x1b' not in answer.stdout
    (model,) = [line for line in lines if line.split()[1] == 'model:']
    assert model.startswith('error') and 'none.engine' in model
    assert sum("no error of 'model'" in line for line in lines) == 2
    assert not any(line.split()[1] == 'speed:' for line in lines)


def test_without_numpy_and_opencv_the_command_still_answers() -> None:
    code = (
        'import sys\n'
        "sys.modules['numpy'] = sys.modules['cv2'] = None\n"
        'from upsnet_ros.doctor.__main__ import main\n'
        'sys.exit(main(sys.argv[1:]))\n'
    )
    answer = run('--no-speed', code=code)
    assert answer.returncode == 1 and answer.stderr == ''
    (model,) = [line for line in answer.stdout.splitlines() if 'model: ' in line]
    assert model.startswith('error') and 'the check cannot be made' in model
    assert 'ROS middleware' in answer.stdout


@pytest.mark.parametrize('number', STOPPING)
@pytest.mark.parametrize('library', ['argparse', 'numpy'])
def test_a_signal_ends_it_quietly_whatever_is_being_imported(
    tmp_path: Path, monkeypatch, number: signal.Signals, library: str
) -> None:
    # The first is imported by the command itself, the other by a check.
    ready = tmp_path / 'ready'
    (tmp_path / f'{library}.py').write_text(
        f'import os, time; os.mkfifo({str(ready)!r}); time.sleep(60)'
    )
    environment = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    process = subprocess.Popen(
        [sys.executable, '-m', 'upsnet_ros.doctor', '--json'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.communicate(timeout=30.0) == (b'', b'')
    assert process.returncode == 130


@pytest.mark.parametrize(
    'arguments', [['--frames', '0'], ['--frames', 'x'], ['--backend', 'magic'], ['nonsense']]
)
def test_a_wrong_command_line_gives_status_2(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert 'usage' in capsys.readouterr().err


# --- the command over checks of our own


def use(monkeypatch, *findings) -> None:
    monkeypatch.setattr(
        command, 'run_checks', lambda *args, **options: [(CHECKS[0], f) for f in findings]
    )


BAD = wrong('it', 'is broken', expected='whole', remedy='mend it')
POOR = doubtful('it', 'is small', expected='large', remedy='grow it')
GOOD = fine('it', 'is there', size=3)


@pytest.mark.parametrize(
    ('findings', 'status', 'summary'),
    [
        ([GOOD], 0, '1 ok, 0 warnings, 0 errors'),
        ([GOOD, POOR], 0, '1 ok, 1 warning, 0 errors'),
        ([BAD, POOR, POOR], 1, '0 ok, 2 warnings, 1 error'),
    ],
)
def test_only_errors_change_the_exit_status(
    monkeypatch, capsys, findings, status, summary
) -> None:
    use(monkeypatch, *findings)
    assert command.main([]) == status
    assert capsys.readouterr().out.splitlines()[-1] == summary == format_summary(findings)
    assert command.main(['--json']) == status
    report = json.loads(capsys.readouterr().out)
    assert [entry['level'] for entry in report['findings']] == [f.level.value for f in findings]


def test_the_model_of_the_package_may_be_missing(monkeypatch, capsys) -> None:
    asked = []
    monkeypatch.setattr(command, 'find_installed', lambda relative: None)
    monkeypatch.setattr(
        command, 'run_checks', lambda subject, *a, **o: asked.append(subject) or []
    )
    assert command.main([]) == 0
    assert asked[0].model_path.name == 'model.onnx'


# --- running checks


def named(monkeypatch, **functions) -> list[Check]:
    """Checks of functions, in a module that stands for one of the package."""
    module = type('Module', (), {name: staticmethod(f) for name, f in functions.items()})
    monkeypatch.setattr(checks.importlib, 'import_module', lambda name: module)
    return [Check(name, 'module', name) for name in functions]


def raise_error(error: BaseException):
    def check(subject):
        yield GOOD
        raise error

    return check


@pytest.mark.parametrize('error', [ValueError('odd'), SystemExit(3), KeyError('x'), MemoryError()])
def test_whatever_a_check_raises_becomes_a_line_with_its_name(monkeypatch, error) -> None:
    made = named(monkeypatch, first=raise_error(error), second=lambda subject: [GOOD])
    answers = [finding for _, finding in run_checks(None, made)]
    assert [finding.level for finding in answers] == [Level.OK, Level.ERROR, Level.OK]
    assert answers[1].what == 'first' and type(error).__name__ in answers[1].found
    assert 'Traceback' in answers[1].values['traceback']


def test_an_interrupt_ends_the_command(monkeypatch) -> None:
    made = named(monkeypatch, first=raise_error(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        list(run_checks(None, made))


def test_what_needs_a_failed_check_is_not_run(monkeypatch) -> None:
    ran, announced = [], []
    made = named(
        monkeypatch,
        first=lambda subject: [BAD],
        second=lambda subject: ran.append(2) or [GOOD],
        third=lambda subject: ran.append(3) or [GOOD],
        fourth=lambda subject: [POOR],
        fifth=lambda subject: ran.append(5) or [GOOD],
    )
    needs = [(), ('first',), ('second',), (), ('fourth',)]
    made = [
        Check(check.name, check.module, check.function, needs=wanted)
        for check, wanted in zip(made, needs, strict=True)
    ]
    answers = [finding for _, finding in run_checks(None, made, announce=announced.append)]
    assert [finding.level.value for finding in answers] == [
        'error', 'warning', 'warning', 'warning', 'ok',
    ]  # fmt: skip
    assert ran == [5] and announced == ['first', 'second', 'third', 'fourth', 'fifth']


def test_every_check_exists_and_comes_after_what_it_needs() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for index, check in enumerate(CHECKS):
        assert set(check.needs) <= set(names[:index])
        module = checks.importlib.import_module(f'upsnet_ros.doctor.{check.module}')
        assert callable(getattr(module, check.function))


# --- lines and JSON


def test_a_line_is_one_line() -> None:
    text = format_finding(wrong('it', 'a\n  b\n', expected='c\nd', remedy='e'), is_coloured=False)
    assert text == 'error    it: a | b; expected c | d; to do: e'
    assert format_finding(GOOD, is_coloured=False) == 'ok       it: is there'


def test_colours_are_for_the_level_alone() -> None:
    text = format_finding(POOR, is_coloured=True)
    assert text.startswith('\x1b[33mwarning\x1b[0m  it: is small')


def test_json_has_no_numbers_that_json_lacks(computer) -> None:
    finding = fine('it', 'is', path=Path('/x'), share=float('nan'), size=1.5)
    report = json.loads(
        to_json(computer(), [('check', finding)]), parse_constant=lambda name: pytest.fail(name)
    )
    assert report['findings'][0]['values'] == {'path': '/x', 'share': 'nan', 'size': 1.5}
    assert report['counts'] == {'ok': 1, 'warning': 0, 'error': 0}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ('stream', 'text'), [(Terminal(), '\r\x1b[Kworking\r\x1b[K'), (io.StringIO(), '')]
)
def test_progress_is_for_terminals(monkeypatch, stream, text) -> None:
    monkeypatch.setattr('sys.stderr', stream)
    show_status('working')
    show_status('')
    assert stream.getvalue() == text


def test_tensorrt_is_needed_by_engines_and_by_who_asks_for_it(computer, tmp_path) -> None:
    path = write_tiny_model(tmp_path)
    assert not computer(model_path=path).needs_tensorrt
    assert computer(model_path=path, backend='tensorrt').needs_tensorrt
    engine = path.with_suffix(ENGINE_SUFFIX)
    assert computer(model_path=engine).needs_tensorrt
    assert not computer(model_path=engine, backend='onnxruntime').needs_tensorrt
