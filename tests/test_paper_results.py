# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/paper_results.md are those measured."""

import json
from pathlib import Path

from training.ablation.report import GROUPS, spread
from training.ablation.study import ABLATION, COMPARISON

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'docs' / 'paper_results.md').read_text()
RESULTS = ROOT / 'benchmarks' / 'results'


def test_figures_on_synthetic_drives_are_those_of_the_file() -> None:
    figures = json.loads((RESULTS / 'ablation_2026-11-25.json').read_text())['pq']
    rows = [(f'table 6, row {place}', row) for place, row in enumerate(ABLATION, start=1)]
    rows += [(f'table 8, {row.title}', row) for row in COMPARISON]
    _, text = TEXT.split('## Ours, on synthetic drives')
    for name, row in rows:
        own = figures[row.key].values()
        cells = [name, *(spread([seed[group] for seed in own]) for group in GROUPS)]
        assert f'| {" | ".join(cells)} |' in text
