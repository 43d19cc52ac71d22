# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs every benchmark that needs neither GPU nor data of others: `benchmarks/*.py`."""

from __future__ import annotations

import subprocess
import sys

from ros_variables import ROOT, environment

NEEDS_GPU = {'gpu'}
NEEDS_DATA = {'real_frames'}  # of others
NEEDS_TORCH = {'data_loading', 'fine_tuning', 'network', 'panoptic_quality', 'training_step'}


def main() -> int:
    """Runs the benchmarks one after another, so that none disturbs another's times."""
    folder = ROOT / 'out' / 'bench'
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for script in sorted((ROOT / 'benchmarks').glob('*.py')):
        if script.stem in NEEDS_GPU | NEEDS_DATA:
            continue
        print(f'\n=== {script.stem} ===', flush=True)
        output = folder / f'{script.stem}.json'
        venv = 'training' if script.stem in NEEDS_TORCH else 'runtime'
        command = [f'.venv/{venv}/bin/python', str(script), '--output', str(output)]
        if subprocess.run(command, cwd=ROOT, env=environment(venv)).returncode != 0:
            failed.append(script.stem)
    print(f'\nresults: {folder}' + (f'; FAILED: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
