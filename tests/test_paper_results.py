# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/paper_results.md holds the paper's tables, and its commands are ones that exist.

No command is run and torch is not imported: parsers are rebuilt from the text of their modules.
"""

import argparse
import ast
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from training.ablation.report import GROUPS, spread
from training.ablation.study import ABLATION, COMPARISON, TRAININGS, Row
from training.evaluation.tables import PAPER_COLUMNS, paper_cells
from training.recipe.reading import load_recipe

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'paper_results.md').read_text()
RECIPES = ROOT / 'config' / 'training'
RESULTS = ROOT / 'benchmarks' / 'results'

OTHERS = {  # rows of methods that are not ours to run
    *('JSIS-Net [10]', 'RN50-MR-CNN', 'Megvii (Face++)', 'Caribbean', 'PKU_360', 'AUNet [20]'),
    *('Li et al. [19]', 'TASCNet [18]', 'TASCNet-COCO [18]', 'Kirillov et al. [17]'),
}
VARIANTS = ('MR-CNN-PSP', 'UPSNet-C', 'UPSNet-CP', 'UPSNet')
EXPECTED = {
    1: ('JSIS-Net [10]', 'RN50-MR-CNN', 'MR-CNN-PSP', 'Ours', 'MR-CNN-PSP-M', 'Ours-M'),
    2: ('Megvii (Face++)', 'Caribbean', 'PKU_360', 'JSIS-Net [10]', 'AUNet [20]', 'Ours'),
    3: (
        *('Li et al. [19]', 'MR-CNN-PSP', 'TASCNet [18]', 'Ours', 'TASCNet-COCO [18]'),
        *('Ours-COCO', 'Kirillov et al. [17]', 'MR-CNN-PSP-M', 'Ours-M', 'Ours-101-M-COCO'),
    ),
    4: ('MR-CNN-PSP', 'Ours'),
    5: ('Img. Size', 'MR-CNN-PSP', 'Ours', 'Speedup'),
    6: tuple('123456789'),
    7: ('JSIS-Net [10]', 'RN50-MR-CNN', *VARIANTS, 'MR-CNN-PSP-M', 'UPSNet-M'),
    8: (
        *('Li et al. [19]', *VARIANTS, 'Kirillov et al. [17]'),
        *('MR-CNN-PSP-M', 'UPSNet-50-M', 'UPSNet-101-M'),
    ),
    9: VARIANTS,
}
SHORT = ('PQ', 'SQ', 'RQ', 'PQ-Th', 'PQ-St', 'mIoU', 'AP-mask')
COLUMNS = dict.fromkeys((1, 3, 4), SHORT) | dict.fromkeys((7, 8, 9), PAPER_COLUMNS)
COLUMNS |= {2: PAPER_COLUMNS[:9], 6: ('PQ', 'PQ-Th', 'PQ-St')}
COLUMNS[5] = ('COCO', 'Cityscapes', 'own data set')
MARKS = ('Pano.', 'Our ICA', 'Loss Bal.', 'RoI Loss', 'Unk.', 'GT Box', 'GT ICA', 'GT Seg.')
COUNTS = dict.fromkeys((1, 2, 6, 7), (80, 53)) | dict.fromkeys((3, 8), (8, 11))
COUNTS |= dict.fromkeys((4, 9), (10, 17))  # things and stuff
ROUNDING = 0.1 + 1e-9  # half a digit of the mean, half a digit of what it is the mean of
FILE = re.compile(r'\(\[file\]\(\.\./benchmarks/results/(paper_\w+\.json)\)\)')


@dataclass(frozen=True)
class Line:
    """A row: its name, the cells of its columns, ours, and how it is evaluated."""

    name: str
    cells: dict[str, str]
    ours: str
    evaluation: str

    @property
    def evaluations(self) -> list[str]:
        return re.findall(r'`(\w+)`', self.evaluation)


def section(title: str) -> str:
    """Text from a heading of the second level to the next."""
    (found,) = re.findall(rf'^## {title}.*?$\n(.*?)(?=^## |\Z)', TEXT, re.MULTILINE | re.DOTALL)
    return found


def read_table(text: str) -> list[dict[str, str]]:
    """A table as one mapping per row."""
    lines = [line for line in text.splitlines() if line.startswith('|')]
    heads, _, *rows = ([cell.strip() for cell in line.split('|')[1:-1]] for line in lines)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def read_commands(text: str) -> dict[str, list[str]]:
    """Commands by the comment above them (else by themselves), split as a shell does."""
    commands, name = {}, None
    for block in re.findall(r'^```sh\n(.*?)^```', text, re.MULTILINE | re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            if line.startswith('python'):
                assert (name or line) not in commands, line
                commands[name or line] = shlex.split(line)
            name = line[2:] if line.startswith('# ') else None
    return commands


TABLES = {
    table: [
        Line(row.pop('row'), row, row.pop('ours'), row.pop('evaluation'))
        for row in read_table(section(f'Table {table}:'))
    ]
    for table in EXPECTED
}
TRAINED = read_commands(section('Trainings'))
EVALUATED = read_commands(section('Evaluations'))
SYNTHETIC = section('Ours, on synthetic drives')
COMMANDS = [*TRAINED.values(), *EVALUATED.values(), *read_commands(SYNTHETIC).values()]
COMMANDS += map(shlex.split, re.findall(r'`(python -m \S+ -[^`]+)`', TEXT))


def parse(command: list[str]) -> argparse.Namespace:
    """The values of a command's options, by the calls of ``add_argument`` in its module.

    Raises:
        SystemExit: If it has no such options.
    """
    python, dash_m, module, *options = command
    assert (python, dash_m) == ('python', '-m')
    path = ROOT.joinpath(*module.split('.'))
    path = path / '__main__.py' if path.is_dir() else path.with_suffix('.py')
    parser = argparse.ArgumentParser(prog=module, allow_abbrev=False)
    for call in ast.walk(ast.parse(path.read_text())):
        called = getattr(call, 'func', None)
        if getattr(called, 'attr', getattr(called, 'id', None)) in ('add_argument', 'add'):
            told = {entry.arg: entry.value for entry in call.keywords}
            kept = [key for key in ('action', 'nargs', 'required') if key in told]
            parser.add_argument(call.args[0].value, **{key: told[key].value for key in kept})
    return parser.parse_args(options)


def recipe_of(training: argparse.Namespace):
    return load_recipe(ROOT / training.config, overrides=training.set or [])


def training_of(path: str) -> argparse.Namespace:
    """The training that writes a checkpoint."""
    values = parse(TRAINED[Path(path).parent.name])
    assert path == f'{values.output}/final.pt'
    return values


def problem_of_ours(line: Line, columns: tuple[str, ...], folder: Path) -> str | None:
    """What is wrong with a cell of ours: figures without a measurement, or another one's."""
    if not line.ours:
        return None
    files = [folder / name for name in FILE.findall(line.ours)]
    figures = [text.strip() for text in FILE.sub('', line.ours).split('/')]
    if not files or not all(path.is_file() for path in files):
        return 'there is no file of the measurement'
    measured = [paper_cells(json.loads(path.read_text())) for path in files]
    if set(columns) <= set(PAPER_COLUMNS):
        expected = [measured[0][PAPER_COLUMNS.index(column)] for column in columns]
        if columns == PAPER_COLUMNS:  # the run time may be that of a second evaluation
            expected[-1] = measured[-1][-1]
    else:  # of run times, one file for each data set
        expected = [cells[-1] for cells in measured]
    return None if figures == expected else f'{figures} differ from {expected}'


def number(text: str) -> float | None:
    """A figure; None where the paper has none."""
    return None if text in ('-', '*') else float(text.split(' (')[0].removesuffix(' %'))


@pytest.mark.parametrize('table', EXPECTED)
def test_every_row_and_figure_of_the_paper_is_there(table: int) -> None:
    assert tuple(line.name for line in TABLES[table]) == EXPECTED[table]
    for line in TABLES[table]:
        assert tuple(line.cells) == (*{2: ('backbone',), 6: MARKS}.get(table, ()), *COLUMNS[table])
        for column in COLUMNS[table] if line.name != 'Img. Size' else ():
            value = number(line.cells[column])
            is_share = column in PAPER_COLUMNS[:-1]
            assert value is None or 0 < value < (100 if is_share else 20_000), column


def test_figures_of_all_classes_are_means_of_things_and_stuff() -> None:
    wrong = []
    for table, (things, stuff) in COUNTS.items():
        for line in TABLES[table]:
            for figure in ('PQ', 'SQ', 'RQ'):
                parts = [line.cells.get(f'{figure}{part}', '-') for part in ('', '-Th', '-St')]
                whole, of_things, of_stuff = map(number, parts)
                if None in (whole, of_things, of_stuff):
                    continue
                mean = (things * of_things + stuff * of_stuff) / (things + stuff)
                if abs(whole - mean) > ROUNDING:
                    wrong.append((table, line.name, figure))
    # As printed: 54.9 and 63.7 make 60.0; table 3 says 55.0.
    assert wrong == [(8, 'UPSNet-50-M', 'PQ')]


def test_short_and_full_tables_differ_where_the_paper_does_and_nowhere_else() -> None:
    names = {'Ours': 'UPSNet', 'Ours-101-M-COCO': 'UPSNet-101-M'}
    different = set()
    for short, full, own in ((1, 7, 'UPSNet-M'), (3, 8, 'UPSNet-50-M'), (4, 9, '')):
        rows = {line.name: line for line in TABLES[full]}
        for line in TABLES[short]:
            other = rows.get((names | {'Ours-M': own}).get(line.name, line.name))
            if other is not None:
                assert line.evaluation == other.evaluation
                cells = ((column, line.cells[column], other.cells[column]) for column in SHORT)
                different |= {(short, line.name, column) for column, a, b in cells if a != b}
            else:
                assert line.name in ('TASCNet [18]', 'TASCNet-COCO [18]', 'Ours-COCO')
    ours_m = {(1, 'Ours-M', column) for column in ('PQ', 'SQ', 'RQ', 'PQ-Th', 'mIoU')}
    ours = {(1, 'Ours', 'RQ'), (1, 'Ours', 'PQ-Th')}
    assert different == ours_m | ours | {(3, 'Ours-M', 'RQ'), (3, 'Ours-M', 'PQ-Th')}


@pytest.mark.parametrize('column', COLUMNS[5])
def test_speedup_follows_from_the_run_times(column: str) -> None:
    _, theirs, ours, speedup = (line.cells[column] for line in TABLES[5])
    total, network, merging = map(int, re.fullmatch(r'(\d+) \((\d+) \+ (\d+)\)', theirs).groups())
    assert total == network + merging
    assert round(100 * (total / number(ours) - 1)) == number(speedup)


@pytest.mark.parametrize('table', EXPECTED)
def test_every_row_says_how_it_is_measured_or_why_not(table: int) -> None:
    for line in TABLES[table]:
        if line.name in OTHERS:
            assert line.evaluation == 'published by its authors, not run'
        elif table == 2:
            assert line.evaluation == 'cannot be run'
        elif line.name in ('Img. Size', 'Speedup'):
            assert line.evaluation == 'no measurement'
        else:
            assert line.evaluations and set(line.evaluations) <= set(EVALUATED)
            assert ('driving' in line.evaluation) == ('own data' in line.evaluation)


def test_commands_are_accepted_by_the_modules_they_name() -> None:
    assert len(COMMANDS) == TEXT.count('python -m training.') - 1  # one is named without options
    for command in COMMANDS:
        assert parse(command).output, command
    good = EVALUATED['coco_upsnet']
    for wrong in ([*good, '--multiscale'], [*good, '--flip', '1'], [*good, '--oracle'], good[:-2]):
        with pytest.raises(SystemExit):
            parse(wrong)


@pytest.mark.parametrize('name', TRAINED)
def test_trainings_have_recipes_and_weights_that_exist(name: str) -> None:
    values = parse(TRAINED[name])
    if TRAINED[name][2] == 'training.import_official':
        assert (RECIPES / f'upsnet_{values.variant}.yaml').is_file()
        assert values.output == f'out/paper/{name}/final.pt'
        assert name.removeprefix('published_') in TRAINED
        return
    recipe = recipe_of(values)
    assert values.output == f'out/paper/{name}'
    assert values.data == f'${recipe.data.label_set.name.upper()}'
    if recipe.initial.weights == 'checkpoint':
        assert recipe_of(training_of(values.initial)).model.blocks == recipe.model.blocks
    else:
        layers = 101 if recipe.model.blocks == (3, 4, 23, 3) else 50
        assert values.initial == f'$WEIGHTS/resnet-{layers}-caffe.pth'


@pytest.mark.parametrize('name', EVALUATED)
def test_evaluations_have_the_models_and_options_of_their_rows(name: str) -> None:
    values = parse(EVALUATED[name])
    assert values.output == f'out/paper/results/{name}' and f'`{name}`' in TEXT
    for path in filter(None, (values.model, values.semantic_model)):
        assert training_of(path).data == values.data
    merged = name.endswith(('mr_cnn_psp', 'mr_cnn_psp_m', 'upsnet_c', 'upsnet_cp'))
    assert values.head == ('heuristic' if merged else None)
    assert (values.semantic_model is not None) == ('mr_cnn_psp' in name)
    assert values.multi_scale == values.flip == name.endswith('_m')
    assert (values.workers == '0') == name.startswith('time_')
    assert (values.instances is not None) == name.startswith('coco_')


@pytest.mark.parametrize('line, row', [*zip(TABLES[6], ABLATION, strict=True)])
def test_the_ablation_is_that_of_the_study_on_synthetic_drives(line: Line, row: Row) -> None:
    assert tuple(float(line.cells[column]) for column in COLUMNS[6]) == row.paper
    values = parse(EVALUATED[line.evaluations[0]])
    wanted = parse([*'python -m training.evaluate --data D --output O'.split(), *row.options])
    for option in ('oracle', 'head', 'instance_class', 'no_unknown'):
        assert vars(values)[option] == vars(wanted)[option], option
    recipe = recipe_of(training_of(values.model))
    base = RECIPES / 'upsnet_r50_coco.yaml'
    assert recipe == load_recipe(base, overrides=TRAININGS[row.training])
    losses = recipe.losses
    marks = [losses.panoptic > 0, values.instance_class is None, losses.semantic == 0.2]
    marks += [losses.semantic_roi > 0, losses.predict_unknown and not values.no_unknown]
    marks += [name in (values.oracle or []) for name in ('boxes', 'classes', 'segmentation')]
    assert [line.cells[mark] == '✓' for mark in MARKS] == marks


@pytest.mark.parametrize('table', EXPECTED)
def test_nothing_of_ours_is_filled_that_was_not_measured(table: int) -> None:
    for line in TABLES[table]:
        assert problem_of_ours(line, COLUMNS[table], RESULTS) is None, line.name


def test_figures_of_ours_are_those_of_their_file(tmp_path: Path) -> None:
    group = {'pq': 42.06, 'sq': 78.0, 'rq': 52.0, 'classes': 1}
    metrics = {'pq': dict.fromkeys(('all', 'things', 'stuff'), group), 'miou': None, 'ap': None}
    metrics |= {'cityscapes_ap': None, 'model': {'semantic_path': None}, 'frames': 1}
    path = tmp_path / 'paper_x.json'
    path.write_text(json.dumps(metrics | {'seconds_per_frame': 0.2}))
    link = f'([file](../benchmarks/results/{path.name}))'
    for ours, columns, good in (
        (f'42.1 / 78.0 {link}', ('PQ', 'SQ'), True),
        (f'200 / 200 {link}{link}', COLUMNS[5][:2], True),
        (f'42.2 / 78.0 {link}', ('PQ', 'SQ'), False),
        (f'42.1 {link}', ('PQ', 'SQ'), False),
        ('42.1 / 78.0', ('PQ', 'SQ'), False),
        (f'42.1 / 78.0 {link.replace("_x", "_y")}', ('PQ', 'SQ'), False),
    ):
        assert (problem_of_ours(Line('x', {}, ours, ''), columns, tmp_path) is None) == good, ours


def test_figures_on_synthetic_drives_are_those_of_the_file() -> None:
    figures = json.loads((RESULTS / 'ablation_2026-11-25.json').read_text())['pq']
    rows = [(f'table 6, row {place}', row) for place, row in enumerate(ABLATION, start=1)]
    rows += [(f'table 8, {row.title}', row) for row in COMPARISON]
    expected = [
        [name, *(spread([seed[group] for seed in figures[row.key].values()]) for group in GROUPS)]
        for name, row in rows
    ]
    assert [list(row.values()) for row in read_table(SYNTHETIC)] == expected
