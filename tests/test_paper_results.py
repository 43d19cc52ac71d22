# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/paper_results.md and their recipes exist; its figures are those measured.

No command is run and torch is not imported: parsers are rebuilt from the text of their modules.
"""

import argparse
import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from training.ablation.report import GROUPS, spread
from training.ablation.study import ABLATION, COMPARISON
from training.recipe.reading import load_recipe

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'paper_results.md').read_text()
RESULTS = ROOT / 'benchmarks' / 'results'
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r'^```sh\n(.*?)^```', TEXT, re.MULTILINE | re.DOTALL)
    for line in block.replace('\\\n', ' ').splitlines()
    if line.startswith('python')
]


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


@pytest.mark.parametrize('command', COMMANDS, ids=lambda command: command[-1])
def test_a_command_has_options_and_recipes_that_exist(command: list[str]) -> None:
    values = parse(command)
    assert values.output
    if command[2] == 'training.import_official':
        assert (ROOT / f'config/training/upsnet_{values.variant}.yaml').is_file()
    elif command[2] == 'training.train':
        recipe = load_recipe(ROOT / values.config, overrides=values.set or [])
        assert values.data == f'${recipe.data.label_set.name.upper()}'
        assert (recipe.initial.weights == 'checkpoint') == values.initial.startswith('out/')
    with pytest.raises(SystemExit):
        parse([*command, '--no-such-option'])


def test_every_checkpoint_that_is_evaluated_is_trained_or_imported() -> None:
    made, used = set(), set()
    for command in COMMANDS:
        values = vars(parse(command))
        if command[2] == 'training.train':
            made.add(f'{values["output"]}/final.pt')
        elif command[2] == 'training.import_official':
            made.add(values['output'])
        for option in ('model', 'semantic_model', 'initial'):
            used |= {path for path in (values.get(option),) if str(path).startswith('out/')}
    assert len(used) > 5 and used <= made


def test_figures_on_synthetic_drives_are_those_of_the_file() -> None:
    figures = json.loads((RESULTS / 'ablation_2026-11-25.json').read_text())['pq']
    rows = [(f'table 6, row {place}', row) for place, row in enumerate(ABLATION, start=1)]
    rows += [(f'table 8, {row.title}', row) for row in COMPARISON]
    _, text = TEXT.split('## Ours, on synthetic drives')
    for name, row in rows:
        own = figures[row.key].values()
        cells = [name, *(spread([seed[group] for seed in own]) for group in GROUPS)]
        assert f'| {" | ".join(cells)} |' in text
