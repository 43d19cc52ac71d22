# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that labels own pictures and films, for any model that labels a picture."""

from __future__ import annotations

import argparse
import errno
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from upsnet_ros.core.errors import DeviceLostError, ImageError, ModelError, UpsnetError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.own_process import INTERRUPTED, interrupted_by_signals
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.evaluation.command import HELP_WIDTH, progress_bar
from upsnet_ros.evaluation.stages import staged
from upsnet_ros.images.files import UPRIGHT, FilmFile, read_picture
from upsnet_ros.label.outputs import (
    FILMS,
    LabelOutputs,
    check_folder,
    known_names,
    picture_name,
)
from upsnet_ros.label.sources import Source, find_sources, shown

FAILED, WRONG_COMMAND_LINE, SOME_PASSED_OVER = 1, 2, 3
USUAL_FILM_HZ = 10.0
# Why a file cannot be written while others can.
OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
TOLD = 10  # files that are named one by one in the summary

Item = TypeVar('Item')


@dataclass(frozen=True)
class LabellingModel:
    """What labels pictures.

    Attributes:
        label: the labels of a picture, BGR uint8 [H, W, 3], at its size.
        label_set: its classes.
        identity: what decides its labels, plain JSON values.
        told: what it is, in words.
    """

    label: Callable[[np.ndarray], PanopticResult]
    label_set: LabelSet
    identity: dict[str, Any]
    told: str


@dataclass(eq=False)
class Shot:
    """A picture on its way, or why there is none.

    Attributes:
        source: its picture or film.
        frame: its number in the film; None of a picture.
        stamp: of the source when it was opened.
        image: BGR uint8 [H, W, 3].
        more: what its line says besides.
        problem: why it cannot be labelled; None if it can.
        result: its labels.
    """

    source: Source
    frame: int | None
    stamp: tuple[int, int] = (0, 0)
    image: np.ndarray | None = None
    more: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    result: PanopticResult | None = None


@dataclass
class Summary:
    """What became of the pictures.

    Attributes:
        labelled: how many this run labelled.
        known: how many an earlier run had.
        passed_over: file and problem of each that could not be labelled.
        turned: names of those that were turned upright.
        rates_hz: of the films, by the path of the source.
    """

    labelled: int = 0
    known: int = 0
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    rates_hz: dict[str, float] = field(default_factory=dict)


def argument_parser(program: str, description: str, *, examples: str) -> argparse.ArgumentParser:
    """A command line with the options that all models have."""
    status = (
        f'Exit status: 0 all is labelled, {FAILED} failed, {WRONG_COMMAND_LINE} wrong command '
        f'line, {SOME_PASSED_OVER} labelled but for files that are named, {INTERRUPTED} '
        'interrupted: the same command goes on.'
    )
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f'{examples}\n{textwrap.fill(status, HELP_WIDTH)}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        'inputs',
        nargs='+',
        type=Path,
        metavar='IMAGE|FOLDER|FILM',
        help='pictures, films, and folders that are searched for both at any depth',
    )
    add(
        '--output',
        type=Path,
        required=True,
        metavar='DIR',
        help='receives overlays/, labels/ (16-bit PNG, class << 8 | instance, 65535 unknown), '
        'pictures.jsonl and contact_sheet.jpg',
    )
    add('--write-panoptic', action='store_true', help='also write labels in COCO panoptic format')
    add('--film', action='store_true', help=f'also write the overlays as films to {FILMS}/')
    add(
        '--film-rate',
        type=_positive(float),
        default=USUAL_FILM_HZ,
        metavar='HZ',
        help='of the film of pictures (default: %(default)g); films keep their own',
    )
    add(
        '--stride',
        type=_positive(int),
        default=1,
        metavar='N',
        help='every N-th frame of films (default: 1)',
    )
    add('--restart', action='store_true', help='throw away what an earlier run left in DIR')
    return parser


def _positive(kind: type[int] | type[float]) -> Callable[[str], int | float]:
    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < 1e6:
            raise argparse.ArgumentTypeError(f'{text!r}, expected a number from above 0 to 1e6')
        return value

    return parse


def run_command(
    given: argparse.Namespace, open_model: Callable[[], AbstractContextManager[LabellingModel]]
) -> int:
    """Label what a command line asks for; returns the exit status.

    Args:
        given: of a parser made by `argument_parser`.
        open_model: loads the model; called once the inputs are known to be there.
    """
    try:
        with interrupted_by_signals():  # so that whatever is open is closed
            summary = label(given, open_model)
    except (UpsnetError, OSError) as error:
        print(f'Labelling failed: {shown(str(error))}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print('Stopped. The same command goes on from here.', file=sys.stderr)
        return INTERRUPTED
    for name, problem in summary.passed_over[:TOLD]:
        print(f'Passed over: {name}: {problem}', file=sys.stderr)
    if len(summary.passed_over) > TOLD:
        more = len(summary.passed_over) - TOLD
        print(f'and {more} more, see "problem" in pictures.jsonl', file=sys.stderr)
    if not summary.passed_over:
        return 0
    return SOME_PASSED_OVER if summary.labelled or summary.known else FAILED


def label(
    given: argparse.Namespace, open_model: Callable[[], AbstractContextManager[LabellingModel]]
) -> Summary:
    """Label pictures and films, and print what was done.

    Raises:
        UpsnetError: an input, the output folder or the model cannot be used.
        OSError: a file cannot be written.
    """
    output: Path = given.output
    if not given.restart:
        check_folder(output)
    known = {} if given.restart else known_names(output)
    sources, aside = find_sources(given.inputs, output=output, known=known)
    if aside:
        print(f'Left aside: {aside} files that are neither pictures nor films by their names.')
    summary = Summary()
    with open_model() as model:
        print(f'Model: {model.told}', flush=True)
        with LabelOutputs(
            output, model.label_set, {'model': model.identity}, restart=given.restart
        ) as outputs:
            with progress_bar('Labelling') as progress:
                _label_all(model, sources, outputs, given.stride, summary, progress)
            sheet = outputs.write_sheet()
            written = [outputs.finish(), *([sheet] if sheet else [])]
            if given.write_panoptic and outputs.entries:
                with progress_bar('COCO panoptic') as progress:
                    written.append(outputs.write_panoptic(progress))
            if given.film and outputs.entries:
                rates = {path: rate / given.stride for path, rate in summary.rates_hz.items()}
                with progress_bar('Filming') as progress:
                    written += outputs.write_films(rates, given.film_rate, progress)
    _tell(summary, written)
    return summary


def _tell(summary: Summary, written: Sequence[Path]) -> None:
    before = f', {summary.known} were done before' if summary.known else ''
    print(f'\n{summary.labelled} labelled{before}, {len(summary.passed_over)} passed over')
    if summary.turned:
        more = ', ...' if len(summary.turned) > TOLD else ''
        print(
            f'{len(summary.turned)} were turned upright, as their files say (EXIF orientation, '
            f'rotation of a film): labels lie on the turned picture: '
            f'{", ".join(summary.turned[:TOLD])}{more}'
        )
    for path in written:
        print(f'  {shown(path)}')


def _label_all(
    model: LabellingModel,
    sources: Sequence[Source],
    outputs: LabelOutputs,
    stride: int,
    summary: Summary,
    progress: Callable[[int, int], None],
) -> None:
    """Read ahead, label, write behind; the line of a picture comes last."""

    def labelled(shot: Shot) -> Shot:
        if shot.image is not None:
            try:
                shot.result = model.label(shot.image)
            except DeviceLostError:
                raise
            except (ImageError, ModelError) as error:
                shot.problem = str(error)
        return shot

    def written(shot: Shot) -> Shot:
        if shot.image is not None and shot.result is not None:
            try:
                outputs.write(picture_name(shot.source, shot.frame), shot.image, shot.result)
            except ImageError as error:
                shot.problem = str(error)
            except OSError as error:
                if error.errno not in OF_ONE_NAME:
                    raise
                shot.problem = f'its labels cannot be written ({error.strerror}); rename it'
        return shot

    reader = _Reader(sources, outputs, stride, summary)
    done = 0
    with (
        closing(reader.shots()) as shots,
        # Closed first, whatever happens: then no thread is in the reader any more.
        closing(
            staged(written, staged(labelled, _ahead(shots), name='network'), name='write')
        ) as finished,
    ):
        for shot in finished:
            if shot.problem is not None:
                outputs.pass_over(shot.source, shot.frame, shot.problem)
                at = '' if shot.frame is None else f', frame {shot.frame}'
                summary.passed_over.append((f'{shown(shot.source.path)}{at}', shot.problem))
            elif shot.result is not None:
                outputs.keep(shot.source, shot.frame, shot.stamp, shot.result, **shot.more)
                summary.labelled += 1
            done += 1
            progress(done + summary.known, max(reader.expected, done + summary.known))


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, made in a thread that is a few of them before the consumer."""
    with closing(staged(lambda _: next(items, None), repeat(None), name='read')) as made:
        for item in made:
            if item is None:
                return
            yield item


class _Reader:
    """Reads what is not done yet, one picture after another.

    Attributes:
        expected: pictures and frames in all, as far as it is known.
    """

    def __init__(
        self, sources: Sequence[Source], outputs: LabelOutputs, stride: int, summary: Summary
    ) -> None:
        self._sources = sources
        self._outputs = outputs
        self._stride = stride
        self._summary = summary
        self.expected = len(sources)

    def shots(self) -> Generator[Shot, None, None]:
        """What is to be labelled; what cannot be read comes with its problem."""
        for source in self._sources:
            try:
                if not source.path.is_file():  # a pipe would be waited for without end
                    raise ImageError('it is no file, or gone; look at its path')
                stamp = source.stamp()
                yield from (
                    self._film(source, stamp) if source.is_film else self._picture(source, stamp)
                )
            except ImageError as error:
                yield Shot(source, None, problem=str(error))
            except OSError as error:
                problem = f'cannot be read ({error.strerror}); look at its path and rights'
                yield Shot(source, None, problem=problem)

    def _picture(self, source: Source, stamp: tuple[int, int]) -> Iterator[Shot]:
        if self._outputs.has(source, None):
            self._summary.known += 1
            return
        picture = read_picture(source.path)
        if picture.orientation != UPRIGHT:
            self._summary.turned.append(shown(source.name))
        yield Shot(source, None, stamp, picture.image, {'orientation': picture.orientation})

    def _film(self, source: Source, stamp: tuple[int, int]) -> Iterator[Shot]:
        with closing(FilmFile(source.path)) as film:
            self._summary.rates_hz[str(source.path)] = film.rate_hz
            stated = range(0, film.stated_frames, self._stride)
            self.expected += max(len(stated) - 1, 0)
            if stated and all(self._outputs.has(source, frame) for frame in stated):
                self._summary.known += len(stated)
                return
            if film.rotation:
                self._summary.turned.append(shown(source.name))
            yield from self._frames(source, stamp, film)

    def _frames(self, source: Source, stamp: tuple[int, int], film: FilmFile) -> Iterator[Shot]:
        def is_wanted(number: int) -> bool:
            return number % self._stride == 0 and not self._outputs.has(source, number)

        read = 0
        for number, image in film.frames(is_wanted):
            read = number + 1
            if image is not None:
                seconds = round(number / film.rate_hz, 4) if film.rate_hz else None
                more = {'rotation': film.rotation, 'seconds': seconds}
                yield Shot(source, number, stamp, image, more)
            elif number % self._stride == 0:
                self._summary.known += 1
        if not read:
            raise ImageError('the film holds no frame that can be read; get the file again')
        # What containers state is off by one now and then.
        if read < film.stated_frames - 1:
            raise ImageError(
                f'only {read} of {film.stated_frames} frames can be read, they are labelled; the '
                'film is cut off or damaged behind them, get the file again'
            )
