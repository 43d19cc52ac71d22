# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what repeats the code for people and other programs; a test holds the files to it.

    python -m upsnet_ros.node.tables    # or: make tables

It writes the tables in docs/node.md, config/perception.yaml and deploy/sros2/policy.xml of the
checkout that it stands in, from the tables of topics, parameters and exit statuses.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from upsnet_ros.dds_profile import profile_sizes
from upsnet_ros.node.parameters import NodeParameters, parameter_rules
from upsnet_ros.node.process import ExitStatus
from upsnet_ros.node.security_policy import policy_text
from upsnet_ros.node.topics import DIAGNOSTICS, ENABLE, INPUTS, OUTPUTS, Output, Topic

ROOT = Path(__file__).resolve().parents[2]
CHANGES = {'live': 'live', 'unconfigured': 'unconfigured', 'never': 'at start'}
# Cameras, and width and height of their images, for which docs/deployment.md says the memory.
SETUPS = ((1, 2048, 1024), (4, 1280, 720), (4, 1920, 1080))
COLUMNS = 99
YAML_HEAD = """\
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# All parameters of perception_node with their defaults; written by
# python -m upsnet_ros.node.tables. [live]: may change while the node runs; [unconfigured]: only
# while it is unconfigured; [at start]: read once at the start.
#
# A topic may have a quality of service of its own, by its full name after namespace and remapping
# (docs/node.md):
#   qos_overrides:
#     /camera/image_raw:
#       subscription: {reliability: reliable, depth: 1}
/**:
  ros__parameters:
"""


def generated_files(root: Path = ROOT) -> dict[Path, str]:
    """The files that follow from the code, and what they have to be."""
    page, deployment = root / 'docs' / 'node.md', root / 'docs' / 'deployment.md'
    return {
        page: with_tables(
            page.read_text(),
            {
                'inputs': topic_table([*INPUTS]),
                'outputs': topic_table([*OUTPUTS, DIAGNOSTICS, ENABLE]),
                'parameters': parameter_table(),
            },
        ),
        deployment: with_tables(
            deployment.read_text(),
            {'exit statuses': status_table(), 'shared memory': memory_table()},
        ),
        root / 'config' / 'perception.yaml': parameter_file(),
        root / 'deploy' / 'sros2' / 'policy.xml': policy_text(),
    }


def with_tables(page: str, tables: dict[str, list[str]]) -> str:
    """A page whose places for tables, between two comments each, are filled.

    Raises:
        ValueError: the page has no such place.
    """
    for name, lines in tables.items():
        begin, end = f'<!-- {name} -->\n', f'<!-- end of {name} -->'
        if begin not in page or end not in page:
            raise ValueError(f"the page has no place for '{name}', expected {begin.strip()}")
        before, rest = page.split(begin, 1)
        page = before + begin + '\n'.join(['', *lines, '', '']) + end + rest.split(end, 1)[1]
    return page


def topic_table(topics: list[Topic]) -> list[str]:
    """Lines of a Markdown table of topics."""
    return [
        '| topic | type | what |',
        '|---|---|---|',
        *(
            f'| `{topic.name}` | `{topic.kind}` | {_escaped(topic.text)}{_conditions(topic)} |'
            for topic in topics
        ),
    ]


def _conditions(topic: Topic) -> str:
    """When an output is there at all."""
    conditions = []
    if topic.package == 'vision_msgs':
        conditions.append('where `vision_msgs` is installed')
    if isinstance(topic, Output) and not topic.is_on:
        conditions.append(f'off unless `{topic.switch}`')
    return ''.join(f'; {condition}' for condition in conditions)


def parameter_table() -> list[str]:
    """Lines of a Markdown table of parameters."""
    defaults = NodeParameters()
    lines = ['| name | default | changes | what |', '|---|---|---|---|']
    for name, rule in parameter_rules().items():
        text = re.sub(r'\S*<camera>[\w/]*', r'`\g<0>`', rule.description)
        default = shown(getattr(defaults, name))
        lines.append(f'| `{name}` | `{default}` | {CHANGES[rule.change]} | {_escaped(text)} |')
    return lines


def status_table() -> list[str]:
    """Lines of a Markdown table of exit statuses."""
    return [
        '| exit status | |',
        '|---|---|',
        *(f'| {status:d} | {status.text} |' for status in ExitStatus),
    ]


def memory_table() -> list[str]:
    """Lines of a Markdown table of the shared memory that images need."""
    lines = [
        '| cameras | shared memory of a process: 8 x 6 x cameras x pixels, at least 96 MiB '
        '| places: per 65,500 bytes | `/dev/shm`: a driver per camera, node, 2 subscribers |',
        '|---|---|---|---|',
    ]
    for cameras, width, height in SETUPS:
        sizes = profile_sizes(cameras=cameras, size=(width, height))
        lines.append(
            f'| {cameras} of {width}x{height} | {sizes.segment_bytes / 2**20:.0f} MiB '
            f'| {sizes.queue_capacity} | {sizes.container_bytes / 2**30:.1f} GiB |'
        )
    return lines


def parameter_file() -> str:
    """A parameter file with all defaults."""
    defaults, parts = NodeParameters(), [YAML_HEAD]
    for name, rule in parameter_rules().items():
        text = f'{rule.description} [{CHANGES[rule.change]}]'
        parts += [f'    {line}\n' for line in _comment(text)]
        parts.append(f'    {name}: {shown(getattr(defaults, name))}\n')
    return ''.join(parts)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        COLUMNS - 4,
        initial_indent='# ',
        subsequent_indent='# ',
        break_long_words=False,
        break_on_hyphens=False,
    )


def shown(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f'[{", ".join(shown(entry) for entry in value)}]'
    return str(value) or "''"


def _escaped(text: str) -> str:
    """A text that does not end a cell of a table."""
    return text.replace('|', r'\|')


def main() -> int:
    """Writes the files that are not what they have to be, and names them."""
    for path, text in generated_files().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f'written: {path.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
