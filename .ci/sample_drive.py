# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the sample drive of `make demo`, once for the same arguments and generator."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ros_variables import ROOT, environment, venv_python
from steps import SetupError, Step, fingerprint


def make_drive(output: Path, arguments: list[str]) -> None:
    """Runs the generator unless the drive that lies there came from the same one.

    Args:
        output: the bag, a folder as rosbag2 has them.
        arguments: further arguments of `training.synthetic`.
    """
    generator = sorted((ROOT / 'training' / 'synthetic').glob('*.py'))
    step = Step(
        'sample drive',
        folder=output.parent,
        inputs=fingerprint(output, *arguments, *generator),
        advice=f'read the log; to begin anew remove {output}.',
    )
    if step.is_done() and output.is_dir():
        return
    step.begin()
    shutil.rmtree(output, ignore_errors=True)
    command = [str(venv_python('runtime')), '-m', 'training.synthetic', '--bag', str(output)]
    step.run([*command, *arguments], environment=environment('runtime'), cwd=ROOT)
    step.finish()


def main() -> int:
    """Reads `--output`; all other arguments are the generator's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, required=True)
    known, arguments = parser.parse_known_args()
    try:
        make_drive(known.output, arguments)
    except SetupError as error:
        print(f'[demo] {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
