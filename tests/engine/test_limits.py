# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every limit of TensorRT is found before its parser is asked, and named with its node."""

import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes.graphs import make_graph
from training.engine.errors import GraphError
from training.engine.limits import LARGEST_K, check_graph, find_problems
from upsnet_ros.core.errors import ModelError

FLOATS = np.zeros((1, 2, 4000), np.float32)
BYTES = np.zeros((1, 4, 4, 3), np.uint8)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def top_k(count: int, **settings: int) -> onnx.ModelProto:
    node = helper.make_node('TopK', ['x', 'k'], ['y', 'i'], 'best', **settings)
    constants = {'k': np.array([count])}
    return make_graph([node], {'x': FLOATS}, {'y': (FLOAT, [1, 2, count])}, constants)


def one_node(node: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    return make_graph([node], {'x': FLOATS}, {'y': (FLOAT, None)}, constants)


def test_what_fits_is_left_alone() -> None:
    check_graph(top_k(LARGEST_K))


PROBLEMS = {
    'K': (top_k(LARGEST_K + 1), 'TopK best: K is 3841, expected at most 3840'),
    'unsorted': (top_k(5, sorted=0), 'TopK best: sorted is 0'),
    'data-dependent': (
        make_graph(
            [helper.make_node('NonZero', ['x'], ['y'], 'where')],
            {'x': FLOATS},
            {'y': (INT64, None)},
        ),
        'NonZero where: TensorRT has no such operator, or one whose result has no fixed size; '
        'NonZero where: the shape of y depends on the data; output y: type INT64',
    ),
    'operator': (
        one_node(helper.make_node('Unique', ['x'], ['y'], 'single')),
        'Unique single: TensorRT has no such operator',
    ),
    'domain': (
        one_node(helper.make_node('Odd', ['x'], ['y'], 'foreign', domain='upsnet')),
        'Odd foreign: operator of the unknown domain upsnet',
    ),
    'reduction': (
        one_node(
            helper.make_node('ScatterElements', ['x', 'i', 'v'], ['y'], 'sum', reduction='add'),
            i=np.zeros((1, 1, 1), np.int64),
            v=np.zeros((1, 1, 1), np.float32),
        ),
        'ScatterElements sum: reduction is add',
    ),
    'type': (
        make_graph(
            [
                helper.make_node('Cast', ['x'], ['d'], 'wide', to=TensorProto.DOUBLE),
                helper.make_node('Cast', ['d'], ['y'], 'narrow', to=FLOAT),
            ],
            {'x': FLOATS},
            {'y': (FLOAT, [1, 2, 4000])},
        ),
        'Cast wide: d has type DOUBLE',
    ),
    'uint8': (
        make_graph(
            [
                helper.make_node('Transpose', ['x'], ['t'], 'turn', perm=[0, 3, 1, 2]),
                helper.make_node('Cast', ['t'], ['y'], 'cast', to=FLOAT),
            ],
            {'x': BYTES},
            {'y': (FLOAT, [1, 3, 4, 4])},
        ),
        'Transpose turn: reads the uint8 input x; only a Cast may',
    ),
    'input': (
        make_graph(
            [helper.make_node('Cast', ['x'], ['y'], 'cast', to=FLOAT)],
            {'x': np.zeros((1, 3), np.int64)},
            {'y': (FLOAT, [1, 3])},
        ),
        'input x: type INT64',
    ),
    'antialias': (
        one_node(
            helper.make_node('Resize', ['x', '', 's'], ['y'], 'grow', antialias=1, mode='linear'),
            s=np.array([1, 1, 0.5], np.float32),
        ),
        'Resize grow: antialias is on',
    ),
}


@pytest.mark.parametrize(('model', 'message'), PROBLEMS.values(), ids=PROBLEMS)
def test_each_limit_is_named(model: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_graph(model)
    assert message in str(caught.value)
    assert 'export the model again' in str(caught.value)


def test_operators_that_a_parser_lacks_are_named() -> None:
    node = helper.make_node('Relu', ['x'], ['y'], 'first')
    assert find_problems(one_node(node), without=('Relu',))
    assert not [text for text in find_problems(one_node(node)) if 'no such operator' in text]


def test_all_problems_are_listed_and_survive_a_process_border() -> None:
    nodes = [helper.make_node('Unique', ['x'], [f'y{i}'], f'node{i}') for i in range(7)]
    outputs = {f'y{i}': (FLOAT, None) for i in range(7)}
    with pytest.raises(GraphError) as caught:
        check_graph(make_graph(nodes, {'x': FLOATS}, outputs))
    assert len(caught.value.problems) == 14  # no operator, no fixed shape
    assert 'and 9 more' in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
