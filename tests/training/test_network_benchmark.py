# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of networks runs at a tiny size and says how long each way took."""

import json
from pathlib import Path

import pytest

from benchmarks import network
from tests.fakes.tiny_model import write_tiny_model

ROOT = Path(__file__).resolve().parents[2]


def test_a_tiny_run_tells_every_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / 'new' / 'network.json'
    recipe = ROOT / 'config' / 'training' / 'upsnet_tiny_synthetic.yaml'
    monkeypatch.setattr(
        'sys.argv',
        ['network.py', '--model', str(write_tiny_model(tmp_path)), '--recipe', str(recipe)]
        + ['--size', '128x64', '--calls', '2', '--turns', '1', '--output', str(output)],
    )
    assert network.main() == 0
    report = json.loads(output.read_text())
    rows = {(row['network'], row['way']): row for row in report['rows']}
    ways = {
        'onnxruntime fp32',
        *(f'openvino {name}' for name in ('fp32', *network.narrow_precisions())),
    }
    assert {way for what, way in rows if what == 'shipped'} == ways
    trained = 'upsnet_tiny_synthetic 128x64'
    assert {way for what, way in rows if what == trained} == {
        *('onnxruntime fp32', 'openvino auto', 'torch fp32')
    }
    assert rows[trained, 'onnxruntime fp32']['ratio'] == 1
    assert all(0 < row['least_ms'] <= row['median_ms'] for row in rows.values())
    assert {'onnxruntime', 'openvino', 'torch'} <= set(report['versions'])


def test_an_answer_that_is_wrong_ends_it() -> None:
    class Wrong:
        def ask(self, **question: object) -> dict[str, object]:
            return {'difference': {'openvino fp32': 0.3}, 'precision': {'openvino fp32': 'fp32'}}

    with pytest.raises(SystemExit, match='openvino fp32: semantic logits of m differ by 0.3'):
        network.ask(Wrong(), 'm', ['openvino fp32'], 1, '')
