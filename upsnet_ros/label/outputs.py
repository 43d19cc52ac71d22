# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is written of labelled pictures, each file whole or not at all.

`pictures.jsonl` is the record: a picture that has a line there, of the same source and settings,
is done. Sheet, films and COCO panoptic files are made of what lies on disk when all is labelled:
they may be asked for later, and a run that was broken off equals an unbroken one.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError, ImageError, ParameterError, shorten
from upsnet_ros.core.json_lines import JsonLines, differences, json_line, read_json_lines
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.evaluation.contact_sheet import draw_overview
from upsnet_ros.evaluation.film import FilmWriter
from upsnet_ros.evaluation.label_files import (
    JSON_FILE,
    LABEL_FOLDER,
    LINES_FILE,
    PANOPTIC_FOLDER,
    PNG_FLAGS,
    PanopticFiles,
)
from upsnet_ros.evaluation.pictures import JPEG_FLAGS
from upsnet_ros.label.sources import Source, shown

RECORD = 'pictures.jsonl'
RECORD_VERSION = 1
OVERLAYS, FILMS, SHEET = 'overlays', 'films', 'contact_sheet.jpg'
OF_PICTURES = 'pictures'  # the film of all pictures that are no frames of a film
PARTIAL = '.partial'
OUTPUTS = (
    *(RECORD, LABEL_FOLDER, OVERLAYS, FILMS, SHEET),
    *(PANOPTIC_FOLDER, JSON_FILE, LINES_FILE, PARTIAL),
)
SHEET_PICTURES = 24
DIGITS = 6  # of the number of a frame

Json = dict[str, Any]
Progress = Callable[[int, int], None]


def picture_name(source: Source, frame: int | None) -> str:
    """The name of what is written of a picture, or of a frame of a film."""
    return source.name if frame is None else f'{source.name}/{frame:0{DIGITS}d}'


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{os.getpid()}.{threading.get_ident()}{PARTIAL}')
    try:
        part.write_bytes(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _encoded(ending: str, picture: np.ndarray, flags: list[int]) -> bytes:
    done, data = cv2.imencode(ending, picture, flags)
    if not done:
        raise ImageError(
            f'{picture.shape[1]}x{picture.shape[0]} pixels cannot be written as {ending}; make '
            'the picture smaller'
        )
    return data.tobytes()


class LabelOutputs:
    """The output folder of the command; a context manager.

    Args:
        folder: it is made when missing.
        label_set: the classes.
        identity: what decides the labels, plain JSON values.
        restart: whether what an earlier run left is thrown away.

    Raises:
        ParameterError: the folder holds labels of another model or settings, or is none of ours.
        OSError: it cannot be written.
    """

    def __init__(
        self, folder: Path, label_set: LabelSet, identity: Mapping[str, Any], *, restart: bool
    ) -> None:
        self.folder = folder
        self.label_set = label_set
        self._header = {'pictures_version': RECORD_VERSION, 'identity': dict(identity)}
        kept = [] if restart else self._kept()
        if restart:
            remove_outputs(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._entries: dict[str, Json] = {entry['name']: entry for entry in kept}
        self._write_record()  # lines of what has to be done again go
        self._lines = JsonLines(folder / RECORD, self._header)

    def _kept(self) -> list[Json]:
        path = self.folder / RECORD
        check_folder(self.folder)
        if not path.is_file():
            return []
        lines = read_json_lines(path)
        there = next(lines, {})
        differing = [
            f'{name}: {shorten(before)} there, {shorten(now)} now'
            for name, (before, now) in differences(there, self._header).items()
        ]
        if differing:
            raise ParameterError(
                f'{path} holds labels of another model or other settings '
                f'({"; ".join(differing)}); give another --output, or --restart to throw them away'
            )
        return [
            line
            for line in lines
            if 'name' in line and 'problem' not in line and self._has_files(line['name'])
        ]

    def __enter__(self) -> LabelOutputs:
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the record."""
        self._lines.close()

    def _write_record(self) -> None:
        entries = sorted(self._entries.values(), key=_order)
        lines = [json_line(values) for values in (self._header, *entries)]
        write_whole(self.folder / RECORD, ''.join(lines).encode())

    def finish(self) -> Path:
        """Leave one line of each picture in the record, by name; nothing can be kept any more.

        Returns:
            Its path.
        """
        self._lines.close()
        self._write_record()
        return self.folder / RECORD

    @property
    def entries(self) -> list[Json]:
        """The lines of what is labelled: the pictures by name, the frames of a film in order."""
        labelled = [entry for entry in self._entries.values() if 'problem' not in entry]
        return sorted(labelled, key=_order)

    def has(self, source: Source, frame: int | None) -> bool:
        """Whether a picture is done: the source is what it was, and its files are there.

        Raises:
            OSError: the source is gone.
        """
        name = picture_name(source, frame)
        entry = self._entries.get(name, {})
        stamp = [entry.get('source_bytes'), entry.get('source_modified_ns')]
        return (
            entry.get('source') == str(source.path)
            and stamp == list(source.stamp())
            and self._has_files(name)
        )

    def _has_files(self, name: str) -> bool:
        return self.label_path(name).is_file() and self.overlay_path(name).is_file()

    def label_path(self, name: str) -> Path:
        """Where the label image of a picture lies."""
        return self.folder / LABEL_FOLDER / f'{name}.png'

    def overlay_path(self, name: str) -> Path:
        """Where a picture lies under its labels."""
        return self.folder / OVERLAYS / f'{name}.jpg'

    def write(self, name: str, image: np.ndarray, result: PanopticResult) -> None:
        """Write label image and overlay; threads may do so at once.

        Args:
            name: of the picture.
            image: BGR uint8 [H, W, 3].
            result: its labels.

        Raises:
            ImageError: the picture has a size that a file cannot have.
            OSError: a file cannot be written.
        """
        labels = result.label_image
        overlay = draw_overlay(image, labels, self.label_set, instances=result.instances)
        shown_over = _encoded('.jpg', overlay, JPEG_FLAGS)
        write_whole(self.label_path(name), _encoded('.png', labels, PNG_FLAGS))
        write_whole(self.overlay_path(name), shown_over)

    def keep(
        self,
        source: Source,
        frame: int | None,
        stamp: tuple[int, int],
        result: PanopticResult,
        **more: Any,
    ) -> None:
        """Write the line of a picture whose files are written: it is done then."""
        height, width = result.label_image.shape
        self._add(
            {
                'name': picture_name(source, frame),
                'source': str(source.path),
                'frame': frame,
                'width': width,
                'height': height,
                **more,
                'unknown_share': round(result.unknown_share, 6),
                'instances': [
                    {
                        'label': each.label,
                        'class_id': each.class_id,
                        'class': each.class_name,
                        'score': round(each.score, 6),
                        'box': [round(float(value), 2) for value in each.box],
                        'area': each.area,
                    }
                    for each in result.instances
                ],
                'source_bytes': stamp[0],
                'source_modified_ns': stamp[1],
            }
        )

    def pass_over(self, source: Source, frame: int | None, problem: str) -> None:
        """Write a line of what could not be labelled; the next run tries again."""
        name = picture_name(source, frame)
        self._add({'name': name, 'source': str(source.path), 'frame': frame, 'problem': problem})

    def _add(self, entry: Json) -> None:
        self._lines.add(entry)
        self._entries[entry['name']] = entry

    def write_sheet(self) -> Path | None:
        """Write one picture of up to 24 overlays; None where nothing is labelled."""
        entries = self.entries
        if not entries:
            return None
        count = min(SHEET_PICTURES, len(entries))
        chosen = [
            entries[at] for at in np.linspace(0, len(entries) - 1, count).round().astype(int)
        ]
        overlays = {entry['name']: self._overlay(entry) for entry in chosen}
        path = self.folder / SHEET
        write_whole(path, _encoded('.jpg', draw_overview(overlays, self.label_set), JPEG_FLAGS))
        return path

    def write_panoptic(self, progress: Progress) -> Path:
        """Write all labels in COCO panoptic format; what an earlier run wrote is replaced."""
        entries = self.entries
        part = self.folder / PARTIAL
        shutil.rmtree(part, ignore_errors=True)
        try:
            with PanopticFiles(part, self.label_set, restart=True) as files:
                for done, entry in enumerate(entries, 1):
                    labels = self._read(self.label_path(entry['name']), cv2.IMREAD_UNCHANGED)
                    files.add(entry['name'], labels, image_name=_file_name(entry))
                    progress(done, len(entries))
                files.finish()
            shutil.rmtree(self.folder / PANOPTIC_FOLDER, ignore_errors=True)
            for name in (PANOPTIC_FOLDER, JSON_FILE):
                (part / name).replace(self.folder / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return self.folder / JSON_FILE

    def write_films(
        self, rates_hz: Mapping[str, float], usual_hz: float, progress: Progress
    ) -> list[Path]:
        """Write the overlays of each film as a film, and those of all pictures as one.

        Args:
            rates_hz: of the films by their source.
            usual_hz: of the film of pictures, and of films that state none.
            progress: called with the pictures done and all there are.
        """
        entries = self.entries
        written = []
        done = 0
        for film, of_film in groupby(sorted(entries, key=_film_of), key=_film_of):
            frames = list(of_film)
            rate = rates_hz.get(frames[0]['source'], 0.0) if film else 0.0
            stem = self.folder / FILMS / f'{film or OF_PICTURES}{PARTIAL}.film'
            stem.parent.mkdir(parents=True, exist_ok=True)
            writer = FilmWriter(stem, frames_per_second=rate or usual_hz)
            try:
                size = None
                for entry in frames:
                    overlay = self._overlay(entry)
                    size = size or overlay.shape[:2]
                    writer.add(fit_inside(overlay, size))
                    done += 1
                    progress(done, len(entries))
            except BaseException:
                writer.close()
                if writer.path is not None:
                    writer.path.unlink(missing_ok=True)
                raise
            writer.close()
            if writer.path is not None:
                final = stem.with_name(stem.name.removesuffix(f'{PARTIAL}.film'))
                path = final.with_name(final.name + writer.path.suffix)
                written.append(writer.path.replace(path))
        return written

    def _overlay(self, entry: Json) -> np.ndarray:
        return self._read(self.overlay_path(entry['name']), cv2.IMREAD_COLOR)

    def _read(self, path: Path, how: int) -> np.ndarray:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), how)
        if image is None:
            raise EvaluationError(
                f'{shown(path)} was written by this command and can no longer be read; remove it '
                'and run the same command again'
            )
        return image


def fit_inside(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture scaled to fit into a size, height and width [px], with black around it."""
    if picture.shape[:2] == size:
        return picture
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    height = max(1, round(picture.shape[0] * scale))
    width = max(1, round(picture.shape[1] * scale))
    frame = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    frame[top : top + height, left : left + width] = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA
    )
    return frame


def _order(entry: Json) -> tuple[str, int]:
    """Pictures by name, the frames of a film by number."""
    return _film_of(entry) or entry['name'], entry['frame'] or 0


def _film_of(entry: Json) -> str:
    """The name of the film of which a picture is a frame; empty for one that is none."""
    return '' if entry['frame'] is None else str(entry['name'].rpartition('/')[0])


def _file_name(entry: Json) -> str:
    """What COCO calls the file of a picture: its own name, or that of the frame's overlay."""
    return entry['name'] + ('.jpg' if entry['frame'] is not None else _ending(entry))


def _ending(entry: Json) -> str:
    ending = Path(entry['source']).suffix
    return '' if entry['name'].endswith(ending) else ending


def known_names(folder: Path) -> dict[str, str]:
    """The names that earlier runs gave in this output, by the path of the source."""
    path = folder / RECORD
    lines: Iterable[Json] = read_json_lines(path) if path.is_file() else ()
    return {
        line['source']: _film_of(line) or line['name']
        for line in lines
        if {'source', 'name', 'frame'} <= line.keys() and 'problem' not in line
    }


def check_folder(folder: Path) -> None:
    """Refuse a folder in which something of another origin would be replaced.

    Raises:
        ParameterError: it is a file, or holds outputs without the record of them.
    """
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f'--output {shown(folder)} is a file, expected a folder')
    there = [name for name in OUTPUTS if (folder / name).exists()]
    record = folder / RECORD
    if record.is_file() and 'pictures_version' in next(read_json_lines(record), {}):
        return
    if there:
        raise ParameterError(
            f'{shown(folder)} holds {", ".join(there)} that this command did not write, and would '
            'be replaced; give another --output, or move them away'
        )


def remove_outputs(folder: Path) -> None:
    """Remove what this command wrote into a folder, and nothing else.

    Raises:
        ParameterError: as by `check_folder`.
    """
    check_folder(folder)
    for name in reversed(OUTPUTS):  # the record last: without it the rest is not known as ours
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
