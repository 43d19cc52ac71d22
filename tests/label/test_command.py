# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of own pictures and films, from the command line to the files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.evaluation import stages
from upsnet_ros.label import command, outputs
from upsnet_ros.label.__main__ import main
from upsnet_ros.pipeline import PanopticPipeline

ROOT = Path(__file__).parents[2]
CAR = (13 << 8) + 1  # the tiny model says that there is one, where a picture's blue is 13
FRAMES = 7


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp('model'))


class Command:
    """The command with a model and an output."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.folder, self.output = model, folder, folder / 'out'

    def __call__(self, *words: object) -> int:
        given = ['--model', str(self.model), '--output', str(self.output), '--threads', '1']
        return main([*given, *map(str, words)])

    def lines(self) -> dict[str, dict[str, Any]]:
        text = (self.output / 'pictures.jsonl').read_text()
        values = [json.loads(line) for line in text.splitlines() if line]
        assert values[0]['pictures_version'] == 1
        names = [entry['name'] for entry in values[1:]]
        assert len(set(names)) == len(names), 'one line per picture'
        return dict(zip(names, values[1:], strict=True))

    def labels(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(self.output / 'labels' / f'{name}.png'))

    def files(self) -> dict[str, bytes]:
        paths = [path for path in self.output.rglob('*') if path.is_file()]
        return {path.relative_to(self.output).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def label(model: Path, tmp_path: Path) -> Command:
    return Command(model, tmp_path)


def picture(blue: int = 2, size: tuple[int, int] = (64, 96)) -> np.ndarray:
    image = np.full((*size, 3), 90, np.uint8)
    image[..., 0] = blue
    height, width = size
    image[height * 12 // 64 : height * 44 // 64, width * 8 // 96 : width * 40 // 96, 0] = 13
    return image


def write(path: Path, image: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture() if image is None else image)
    return path


def write_film(path: Path, frames: int = FRAMES, codec: str = 'MJPG') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).integers(0, 40, (64, 96, 3), np.uint8)  # takes bytes
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 12.0, (96, 64))
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(picture() + noise)
    writer.release()
    return path


def test_labels_are_those_of_the_pipeline_and_told_in_a_line(label: Command) -> None:
    image = picture(size=(128, 192))
    image[:20] = 7  # another class
    source = write(label.folder / 'street.png', image)
    assert label(source) == 0
    with PanopticPipeline.load(label.model, num_threads=1) as pipeline:
        expected = pipeline.process(image).panoptic
    written = label.labels('street')
    assert written.dtype == np.uint16
    np.testing.assert_array_equal(written, expected.label_image)
    (entry,) = label.lines().values()
    assert (entry['source'], entry['width'], entry['height']) == (str(source), 192, 128)
    assert entry['unknown_share'] == pytest.approx(float(np.mean(written == 65535)), abs=1e-6)
    (car,) = entry['instances']
    assert (car['class'], car['label'], car['score']) == ('car', CAR, pytest.approx(0.9))
    assert car['area'] == np.count_nonzero(written == CAR)
    assert car['box'] == pytest.approx(expected.instances[0].box, abs=0.01)
    overlay = cv2.imread(str(label.output / 'overlays' / 'street.jpg'))
    assert overlay.shape == image.shape and (label.output / 'contact_sheet.jpg').is_file()


@pytest.mark.parametrize('turned_by', range(2, 9))
def test_a_picture_is_turned_upright_and_it_is_told(
    label: Command, turned_by: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stored pixels are turned back as EXIF defines its numbers, by hand."""
    upright = np.full((64, 96, 3), 3, np.uint8)
    upright[:16, :24] = 9  # upper left
    stored = {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[turned_by]
    exif = Image.Exif()
    exif[0x0112] = turned_by
    Image.fromarray(np.ascontiguousarray(stored[..., ::-1])).save(
        label.folder / 'x.png', exif=exif
    )
    assert label(label.folder / 'x.png') == 0
    labels = label.labels('x')
    assert labels.shape == (64, 96)
    assert labels[2, 2] >> 8 == 9 and {labels[i] >> 8 for i in ((2, -3), (-3, 2), (-3, -3))} == {3}
    assert label.lines()['x']['orientation'] == turned_by
    assert '1 were turned upright' in capsys.readouterr().out


@pytest.mark.parametrize('ending', ['jpg', 'tif', 'webp', 'png'])
def test_the_orientation_of_every_format_is_heeded(label: Command, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = label.folder / f'x.{ending}'
    Image.new('RGB', (96, 32), (90, 90, 3)).save(source, exif=exif)
    assert label(source) == 0
    assert label.labels('x').shape == (96, 32)
    assert label.lines()['x']['orientation'] == 6


def test_the_sheet_shows_every_picture_and_the_legend(label: Command) -> None:
    for number in range(4):
        write(label.folder / 'in' / f'{number}.png', picture(number, (96, 144)))
    assert label(label.folder / 'in') == 0
    sheet = cv2.imread(str(label.output / 'contact_sheet.jpg'))
    for number in range(4):
        overlay = cv2.imread(str(label.output / 'overlays' / f'{number}.jpg'))
        cell = cv2.resize(overlay, (480, 320), interpolation=cv2.INTER_LINEAR)
        top, left = 8 + 328 * (number // 3), 8 + 488 * (number % 3)
        # Its name is written into the lower left.
        seen = sheet[top : top + 280, left : left + 480].astype(int)
        assert np.abs(seen - cell[:280]).mean() < 3
    assert sheet.shape[1] == 8 + 3 * 488 and sheet.shape[0] > 8 + 2 * 328


def test_a_broken_file_is_named_and_passed_and_tried_again(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = label.folder / 'in'
    whole = write(folder / 'whole.jpg').read_bytes()
    (folder / 'cut.jpg').write_bytes(whole[: len(whole) // 2])
    (folder / 'empty.png').touch()
    (folder / 'text.tif').write_text('no picture')
    (folder / 'junk.mp4').write_bytes(b'junk' * 99)
    (folder / 'dangling.png').symlink_to('nowhere')
    os.mkfifo(folder / 'pipe.png')
    Image.new('1', (9000, 9000)).save(folder / 'huge.png')
    Image.new('1', (70_000, 1)).save(folder / 'wide.png')
    Image.new('F', (9, 9)).save(folder / 'float.tiff')
    write_film(folder / 'none.avi', frames=0)
    assert label(folder) == command.SOME_PASSED_OVER
    told = capsys.readouterr().err
    broken = ['cut.jpg', 'empty.png', 'text.tif', 'junk.mp4', 'dangling.png', 'huge.png']
    broken += ['pipe.png', 'wide.png', 'float.tiff', 'none.avi']
    assert all(f'Passed over: {folder / name}: ' in told for name in broken)
    lines = label.lines()
    assert {name for name, entry in lines.items() if 'problem' not in entry} == {'whole'}
    assert len(lines) == len(broken) + 1
    for name in broken:
        (folder / name).unlink()
    write(folder / 'cut.jpg')
    assert label(folder) == 0
    assert set(label.lines()) == {'whole', 'cut'}


def test_nothing_readable_is_a_failure(label: Command) -> None:
    (label.folder / 'x.png').write_text('no picture')
    assert label(label.folder / 'x.png') == command.FAILED


@pytest.mark.parametrize(
    ('place', 'told'),
    [
        ('missing.png', 'does not exist, expected a picture'),
        ('notes.txt', 'neither picture nor film by its name'),
        ('bare', 'holds no pictures or films, only 1 other files'),
    ],
)
def test_wrong_inputs_are_refused_before_anything_is_done(
    label: Command, place: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (label.folder / 'notes.txt').touch()
    (label.folder / 'bare').mkdir()
    (label.folder / 'bare' / 'notes.txt').touch()
    source = write(label.folder / 'good.png')
    assert label(source, label.folder / place) == command.FAILED
    assert told in capsys.readouterr().err
    assert not label.output.exists()


def test_a_model_of_a_wrong_kind_is_refused_in_a_sentence(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(label.folder / 'good.png')
    label.model = source
    assert label(source) == command.FAILED
    told = capsys.readouterr().err
    assert told.startswith('Labelling failed: ') and 'good.' in told
    assert not label.output.exists()


def test_a_checkpoint_is_told_where_it_belongs(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    label.model = label.folder / 'final.pt'
    assert label(write(label.folder / 'x.png')) == command.FAILED
    assert 'use python -m training.label' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--stride=0', '--film-rate=nan', '--stride=x'])
def test_impossible_numbers_are_a_wrong_command_line(label: Command, option: str) -> None:
    with pytest.raises(SystemExit) as ended:
        label(write(label.folder / 'x.png'), option)
    assert ended.value.code == command.WRONG_COMMAND_LINE


def test_pictures_of_one_name_do_not_meet(label: Command) -> None:
    for blue, name in enumerate(('a/x.png', 'b/x.png', 'a/y.png', 'a/y.jpg', 'a/z.png'), 1):
        write(label.folder / name, picture(blue))
    assert label(label.folder / 'a', label.folder / 'b') == 0
    named = {entry['source']: name for name, entry in label.lines().items()}
    assert len(named) == 5
    expected = {'a/x.png': 'a/x', 'b/x.png': 'b/x', 'a/y.png': 'y.png', 'a/y.jpg': 'y.jpg'}
    expected['a/z.png'] = 'z'
    assert named == {str(label.folder / path): name for path, name in expected.items()}
    for blue, path in enumerate(('a/x.png', 'b/x.png', 'a/y.png'), 1):
        assert label.labels(expected[path])[-1, -1] >> 8 == blue


def test_a_name_stays_when_another_of_its_kind_comes(label: Command) -> None:
    write(label.folder / 'a' / 'x.png')
    assert label(label.folder / 'a') == 0
    before = label.lines()['x']
    write(label.folder / 'b' / 'x.png', picture(5))
    assert label(label.folder / 'b') == 0
    lines = label.lines()
    assert lines['x'] == before and len(lines) == 2
    (other,) = lines.keys() - {'x'}
    assert label.labels(other)[-1, -1] >> 8 == 5


def test_a_file_given_twice_is_labelled_once(label: Command) -> None:
    source = write(label.folder / 'in' / 'x.png')
    assert label(source, source.parent, source) == 0
    assert len(label.lines()) == 1


def test_outputs_hidden_files_and_other_files_are_no_inputs(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = label.folder / 'in'
    label.output = folder / 'labelled'
    write(folder / 'x.png')
    (folder / '._x.png').write_bytes(b'of a Macintosh')
    (folder / 'notes.txt').touch()
    for _ in range(2):
        assert label(folder) == 0
        assert set(label.lines()) == {'x'}
    assert 'Left aside: 1 files' in capsys.readouterr().out


@pytest.mark.parametrize('inside', ['', 'labels'])
def test_the_output_is_no_input(
    label: Command, inside: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(label.output / inside / 'x.png')
    assert label(source.parent) == command.FAILED
    assert capsys.readouterr().err.startswith('Labelling failed: ')
    assert [path for path in label.output.rglob('*') if path.is_file()] == [source]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each picture that a model labels."""
    count: list[int] = []
    process = PanopticPipeline.process

    def counting(self: PanopticPipeline, image: np.ndarray) -> Any:
        count.append(1)
        return process(self, image)

    monkeypatch.setattr(PanopticPipeline, 'process', counting)
    return count


def test_what_is_done_is_not_done_again(label: Command, counted: list[int]) -> None:
    folder = label.folder / 'in'
    for name in ('x', 'y', 'z'):
        write(folder / f'{name}.png')
    write_film(folder / 'film.avi')
    arguments = (folder, '--film', '--write-panoptic')
    assert label(*arguments) == 0 and len(counted) == 3 + FRAMES
    before = label.files()
    assert label(*arguments) == 0 and len(counted) == 3 + FRAMES
    assert label.files().keys() == before.keys()
    assert all(label.files()[name] == data for name, data in before.items() if 'webm' not in name)
    # What has gone, or whose source has changed, is done again; and nothing else.
    (label.output / 'labels' / 'x.png').unlink()
    (label.output / 'overlays' / 'film.avi' / '000003.jpg').unlink()
    write(folder / 'y.png', picture(5, (32, 32)))
    assert label(*arguments) == 0 and len(counted) == 3 + FRAMES + 3
    assert label.lines()['y']['width'] == 32
    assert label.files().keys() == before.keys()


class Stop(Exception):
    """Ends a run, as a signal would."""


def test_a_run_that_was_broken_off_equals_an_unbroken_one(
    label: Command, monkeypatch: pytest.MonkeyPatch, counted: list[int]
) -> None:
    folder = label.folder / 'in'
    for number in range(5):
        write(folder / f'{number}.png', picture(number))
    write_film(folder / 'film.avi')
    assert label(folder, '--write-panoptic') == 0
    whole = label.files()
    shutil.rmtree(label.output)
    process = PanopticPipeline.process

    def stopping(self: PanopticPipeline, image: np.ndarray) -> Any:
        if len(counted) == 5 + FRAMES + 6:
            raise Stop
        return process(self, image)

    with monkeypatch.context() as patched:
        patched.setattr(PanopticPipeline, 'process', stopping)
        with pytest.raises(Stop):
            label(folder, '--write-panoptic')
    with (label.output / 'pictures.jsonl').open('a') as lines:
        lines.write('{"name":"cut')
    assert 0 < len(list(label.output.rglob('*.png'))) < 5 + FRAMES
    assert label(folder, '--write-panoptic') == 0
    assert label.files() == whole


def test_other_settings_are_refused_until_a_restart(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(label.folder / 'x.png')
    assert label(source) == 0
    before = label.files()
    assert label(source, '--score-threshold', '0.95') == command.FAILED
    told = capsys.readouterr().err
    assert 'score_threshold: 0.6 there, 0.95 now' in told and '--restart' in told
    assert label.files() == before
    assert label(source, '--score-threshold', '0.95', '--restart') == 0
    assert label.lines()['x']['instances'] == []


def test_files_of_others_are_never_replaced(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(label.folder / 'x.png')
    mine = write(label.output / 'labels' / 'mine.png')
    for arguments in ((source,), (source, '--restart')):
        assert label(*arguments) == command.FAILED
        assert 'holds labels that this command did not write' in capsys.readouterr().err
    assert mine.is_file()
    label.output = source
    assert label(source) == command.FAILED
    assert 'is a file, expected a folder' in capsys.readouterr().err


@pytest.mark.parametrize('codec', ['MJPG', 'mp4v'])
def test_frames_of_a_film_are_labelled_and_filmed(label: Command, codec: str) -> None:
    film = write_film(label.folder / ('drive.mp4' if codec == 'mp4v' else 'drive.avi'), 7, codec)
    assert label(film, '--stride', '3', '--film') == 0
    lines = label.lines()
    assert [entry['frame'] for entry in lines.values()] == [0, 3, 6]
    assert [entry['seconds'] for entry in lines.values()] == [0, 0.25, 0.5]
    assert all(label.labels(name).shape == (64, 96) for name in lines)
    (written,) = (label.output / 'films').iterdir()
    assert written.name.startswith(f'{film.name}.')
    reader = cv2.VideoCapture(str(written))
    assert reader.get(cv2.CAP_PROP_FPS) == pytest.approx(4.0, abs=0.1)
    count = 0
    while reader.read()[0]:
        count += 1
    assert count == 3


@pytest.mark.parametrize('degrees', [90, 180])
def test_a_film_is_turned_upright_and_it_is_told(
    label: Command, degrees: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Turned as telephones do it: by the matrix in the header of the track."""
    film = write_film(label.folder / 'film.mp4', codec='mp4v')
    data = film.read_bytes()
    one, zero = (1 << 16).to_bytes(4), bytes(4)
    minus = (-(1 << 16)).to_bytes(4, signed=True)
    upright = one + zero + zero + zero + one + zero
    turned = {
        90: zero + one + zero + minus + zero + zero,
        180: minus + zero + zero + zero + minus + zero,
    }[degrees]
    track = data.index(b'tkhd')
    assert data.count(upright, track, track + 92) == 1
    film.write_bytes(data[:track] + data[track:].replace(upright, turned, 1))
    assert label(film) == 0
    shapes = {label.labels(name).shape for name in label.lines()}
    assert shapes == {(96, 64) if degrees == 90 else (64, 96)}
    assert {entry['rotation'] for entry in label.lines().values()} == {degrees}
    assert '1 were turned upright' in capsys.readouterr().out


def test_of_a_film_that_is_cut_off_what_can_be_read_is_labelled(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(label.folder / 'film.avi', 12)
    film.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    assert label(film) == command.SOME_PASSED_OVER
    labelled = [entry for entry in label.lines().values() if 'problem' not in entry]
    assert 0 < len(labelled) < 12
    assert f'only {len(labelled)} of 12 frames can be read' in capsys.readouterr().err


def test_memory_holds_a_few_frames_of_a_film(
    label: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame is read that is further ahead than the stages let it be."""
    read: list[int] = []
    kept: list[int] = []
    ahead: list[int] = []
    frames, keep = command.FilmFile.frames, command.LabelOutputs.keep

    def reading(self: Any, wanted: Any) -> Any:
        for number, image in frames(self, wanted):
            read.append(number)
            ahead.append(len(read) - len(kept))
            yield number, image

    def keeping(self: Any, *given: Any, **more: Any) -> None:
        keep(self, *given, **more)
        kept.append(1)

    monkeypatch.setattr(command.FilmFile, 'frames', reading)
    monkeypatch.setattr(command.LabelOutputs, 'keep', keeping)
    assert label(write_film(label.folder / 'film.avi', 60)) == 0
    assert len(kept) == 60
    assert max(ahead) <= 3 * (2 + stages.SPARE) + 2


def test_coco_panoptic_has_every_picture_with_its_segments(label: Command) -> None:
    write(label.folder / 'in' / 'a' / 'x.jpg')
    write(label.folder / 'in' / 'y.png', picture(5))
    assert label(label.folder / 'in', '--write-panoptic') == 0
    content = json.loads((label.output / 'panoptic.json').read_text())
    assert [image['file_name'] for image in content['images']] == ['a/x.jpg', 'y.png']
    for annotation in content['annotations']:
        rgb = np.asarray(Image.open(label.output / 'panoptic' / annotation['file_name']))
        ids = rgb.astype(int) @ (1, 256, 65536)
        labels = label.labels(annotation['image_id'])
        np.testing.assert_array_equal(ids, np.where(labels == 65535, 0, labels.astype(int) + 1))
        areas = {segment['id']: segment['area'] for segment in annotation['segments_info']}
        assert areas == {i: np.count_nonzero(ids == i) for i in np.unique(ids).tolist() if i}


def test_a_name_that_no_output_can_have_costs_no_other_picture(
    label: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = label.folder / 'in'
    write(folder / 'x.png')
    write(folder / ('n' * 251 + '.png'))
    write(folder / ('n' * 251 + '.jpg'))  # both keep their ending
    assert label(folder) == command.SOME_PASSED_OVER
    assert capsys.readouterr().err.count('rename it') == 2
    assert label.labels('x').size


@pytest.mark.parametrize('option', ['--film', '--write-panoptic'])
def test_what_is_made_at_the_end_is_whole_or_not_there(
    label: Command, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write(label.folder / 'in' / f'{number}.png')
    assert label(label.folder / 'in', option) == 0
    before = label.files()
    read = outputs.LabelOutputs._read
    count: list[int] = []

    def stopping(self: Any, *given: Any) -> Any:
        count.append(1)
        if len(count) == 4 + 3:  # behind those of the sheet
            raise Stop
        return read(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(outputs.LabelOutputs, '_read', stopping)
        with pytest.raises(Stop):
            label(label.folder / 'in', option)
    assert label.files() == before


def test_names_whose_bytes_are_no_text_are_labelled(label: Command) -> None:
    folder = label.folder / 'in'
    write(folder / 'x.png')
    os.rename(folder / 'x.png', os.fsencode(folder) + b'/\xff\n.png')
    assert label(folder, '--write-panoptic') == 0
    (entry,) = label.lines().values()
    assert os.fsencode(entry['source']).endswith(b'/\xff\n.png')


def test_every_kind_of_picture_is_read(label: Command) -> None:
    grey = np.full((64, 96), 7, np.uint8)
    kinds = {
        'sixteen.png': Image.fromarray(grey.astype(np.uint16) << 8),
        'grey.png': Image.fromarray(grey),
        'alpha.png': Image.fromarray(np.dstack([grey] * 3 + [grey])),
        'palette.png': Image.fromarray(np.dstack([grey] * 3)).convert('P'),
        'bits.bmp': Image.fromarray(np.dstack([grey] * 3)),
        'page.tif': Image.fromarray(np.dstack([grey] * 3)),
        'web.webp': Image.fromarray(np.dstack([grey] * 3)),
    }
    for name, image in kinds.items():
        image.save(label.folder / name, lossless=True)
    Image.new('CMYK', (96, 64)).save(label.folder / 'press.jpg')
    assert label(*(label.folder / name for name in (*kinds, 'press.jpg'))) == 0
    for name in kinds.keys() - {'palette.png'}:  # palettes have colours of their own
        assert label.labels(Path(name).stem)[-1, -1] >> 8 == 7, name
    for size in ((1, 1), (1, 500), (500, 1)):
        write(label.folder / 'small' / f'{size[0]}.{size[1]}.png', picture(4, size))
    assert label(label.folder / 'small') == 0


@pytest.mark.heavy
def test_a_signal_ends_it_quietly_and_the_same_command_goes_on(label: Command) -> None:
    folder = label.folder / 'in'
    for number in range(400):
        write(folder / f'{number}.png')
    words = [sys.executable, '-m', 'upsnet_ros.label', str(folder), '--threads', '1']
    words += ['--model', str(label.model), '--output', str(label.output)]
    record = label.output / 'pictures.jsonl'
    done = 1  # the header
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE) as process:
            while not record.exists() or len(record.read_text().splitlines()) < done + 5:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(number)
            error = process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert b'The same command goes on' in error and b'Traceback' not in error
        done = len(record.read_text().splitlines())
        assert not list(label.output.rglob('*.partial'))
    assert label(folder) == 0
    assert len(label.lines()) == 400


@pytest.mark.heavy
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('imported', ['upsnet_ros.core.errors', 'numpy', 'cv2'])
def test_a_signal_while_libraries_are_imported_ends_it_quietly(
    label: Command, imported: str, number: signal.Signals
) -> None:
    source = write(label.folder / 'x.png')
    for ending in ('onnx', 'json'):  # nobody writes to them: it never comes to its end
        os.mkfifo(label.folder / f'endless.{ending}')
    words = [sys.executable, '-X', 'importtime', '-m', 'upsnet_ros.label', str(source)]
    words += ['--model', str(label.folder / 'endless.onnx'), '--output', str(label.output)]
    with subprocess.Popen(
        words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        for line in process.stderr or ():
            if line.split(b'|')[-1].strip() == imported.encode():
                process.send_signal(number)
                break
        out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == b'' and b'Traceback' not in error
