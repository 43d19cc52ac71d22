# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which pictures and films a command line means, and a name of its own for each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.images.files import FILM_ENDINGS, PICTURE_ENDINGS


@dataclass(frozen=True)
class Source:
    """A picture or film to label.

    Attributes:
        path: its file, absolute.
        inside: its path below the folder that was named, or the name of the file itself.
        is_film: whether it is a film.
        name: of all that is written of it, with `/` between folders, without an ending.
    """

    path: Path
    inside: Path
    is_film: bool
    name: str = ''

    def stamp(self) -> tuple[int, int]:
        """Size [bytes] and time of the last change [ns]: other ones mean another content.

        Raises:
            OSError: it is gone.
        """
        found = self.path.stat()
        return found.st_size, found.st_mtime_ns

    def candidates(self) -> Iterator[str]:
        """Names from the shortest on; no two sources share the last one."""
        # A film has many frames below its name, so it never looks like a folder of pictures.
        if not self.is_film:
            yield self.inside.with_suffix('').as_posix()
        yield self.inside.as_posix()
        above = self.path.parts[1 : len(self.path.parts) - len(self.inside.parts)]
        for depth in range(1, len(above) + 1):
            longer = Path(*above[-depth:]) / self.inside
            if not self.is_film:
                yield longer.with_suffix('').as_posix()
            yield longer.as_posix()


def shown(path: Path | str) -> str:
    """A path for the terminal, also where its bytes are no text."""
    return os.fsencode(path).decode('utf-8', 'replace')


def find_sources(
    places: Sequence[Path], *, output: Path, known: Mapping[str, str]
) -> tuple[tuple[Source, ...], int]:
    """The pictures and films of a command line in their order, folders sorted, each once.

    Args:
        places: files and folders.
        output: nothing in this folder is looked at: a second run must not label the first one's.
        known: names by path that an earlier run gave; they stay.

    Returns:
        The sources, and how many other files were left aside in the folders.

    Raises:
        ParameterError: a place is missing, is neither picture nor film, or has none of them.
    """
    found: dict[Path, Source] = {}
    aside = 0
    for place in places:
        if place.is_dir():
            here, others = _in_folder(place, output)
            aside += others
        else:
            here = [_named(place)]
        for source in here:
            found.setdefault(source.path, source)
    return tuple(_with_names(list(found.values()), known)), aside


def _named(place: Path) -> Source:
    """The source that a command line names itself."""
    if not os.path.lexists(place):
        raise ParameterError(
            f'{shown(place)} does not exist, expected a picture, a folder or a film; look at the '
            'path'
        )
    source = _source(place, Path(place.name))
    if source is None:
        raise ParameterError(
            f'{shown(place)} is neither picture nor film by its name; expected it to end in '
            f'{", ".join(PICTURE_ENDINGS)} or {", ".join(FILM_ENDINGS)}'
        )
    return source


def _in_folder(folder: Path, output: Path) -> tuple[list[Source], int]:
    """What a folder holds at any depth, and the number of other files; hidden ones are neither."""
    left_out = output.resolve()
    if left_out in (folder.resolve(), *folder.resolve().parents):
        raise ParameterError(
            f'{shown(folder)} is --output or lies in it, so the next run would label what this '
            'one writes; give an --output of its own'
        )
    found, aside = [], 0
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith('.') and (Path(parent) / name).resolve() != left_out
        )
        for name in files:
            path = Path(parent) / name
            source = None if name.startswith('.') else _source(path, path.relative_to(folder))
            if source is not None:
                found.append(source)
            elif not name.startswith('.'):
                aside += 1
    if not found:
        raise ParameterError(
            f'{shown(folder)} holds no pictures or films, only {aside} other files; expected '
            f'{", ".join(PICTURE_ENDINGS)} or {", ".join(FILM_ENDINGS)} at any depth (not below '
            '--output)'
        )
    return sorted(found, key=lambda source: source.inside.parts), aside


def _raise(error: OSError) -> None:
    raise ParameterError(
        f'the folder {shown(error.filename)} cannot be read ({error.strerror}); look at its rights'
    ) from error


def _source(path: Path, inside: Path) -> Source | None:
    ending = path.suffix.lower()
    if ending not in (*PICTURE_ENDINGS, *FILM_ENDINGS):
        return None
    return Source(Path(os.path.abspath(path)), inside, ending in FILM_ENDINGS)


def _with_names(sources: Sequence[Source], known: Mapping[str, str]) -> Iterator[Source]:
    """Give each the shortest name that no other has, alike for all that would share one.

    `a/x.png` and `b/x.png` are `a/x` and `b/x`; `x.jpg` and `x.png` keep their endings.
    """
    choices = [
        [known[str(s.path)]] if str(s.path) in known else list(s.candidates()) for s in sources
    ]
    # Names that an earlier run gave to what is not labelled now are taken as well.
    paths = {str(source.path) for source in sources}
    others = [name for path, name in known.items() if path not in paths]
    depth = [0] * len(sources)
    while True:
        names = [choice[level] for choice, level in zip(choices, depth, strict=True)]
        counts = Counter([*names, *others])
        films = {n for n, s in zip(names, sources, strict=True) if s.is_film}
        # The frames of a film lie in a folder of its name.
        sharing = [
            at
            for at, name in enumerate(names)
            if counts[name] > 1 or any(str(above) in films for above in Path(name).parents)
        ]
        longer = [at for at in sharing if depth[at] + 1 < len(choices[at])]
        if not longer:
            break
        for at in longer:
            depth[at] += 1
    for source, name in zip(sources, names, strict=True):
        yield replace(source, name=name)
