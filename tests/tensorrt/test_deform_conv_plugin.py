# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The plugin in NVIDIA's own Python package and plugin registry, as the builder would use it."""

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorrt as trt

from tests.tensorrt.symbolic_dimensions import (
    Builder,
    Dimension,
    Scalars,
    tensor,
    use_symbolic_dimensions,
)
from training.deform_conv_kernels.launch import SCALARS
from training.engine import deform_conv_plugin as plugin
from upsnet_ros.core.errors import ParameterError

HALF, FLOAT = trt.DataType.HALF, trt.DataType.FLOAT
LINEAR = trt.TensorFormat.LINEAR
ATTRIBUTES = {
    'kernel_shape': [3, 3],
    'strides': [1, 1],
    'pads': [1, 1, 1, 1],
    'dilations': [1, 1],
}


@dataclass(frozen=True)
class Layer:
    """A convolution as the network has it; ``known`` tells whether sizes are fixed."""

    batch: int
    channels: int
    size: tuple[int, int]
    out_channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    known: bool = True

    @property
    def out_size(self) -> tuple[int, int]:
        return tuple(
            (side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for side, pad, dilation, kernel, stride in zip(
                self.size, self.pad, self.dilation, self.kernel, self.stride, strict=True
            )
        )

    @property
    def row(self) -> int:
        return -(-self.channels // 16) * 16

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of x, weight, offset, bias, y."""
        taps = self.kernel[0] * self.kernel[1]
        return [
            (self.batch, self.channels, *self.size),
            (*self.kernel, self.out_channels, self.row),
            (self.batch, 2 * taps, *self.out_size),
            (self.out_channels,),
            (self.batch, self.out_channels, *self.out_size),
        ]

    @property
    def attributes(self) -> dict[str, list[int]]:
        return {
            'kernel_shape': [*self.kernel],
            'strides': [*self.stride],
            'pads': [*self.pad, *self.pad],
            'dilations': [*self.dilation],
        }


LAYERS = [
    Layer(1, 256, (256, 512), 128),  # UPSNet-50 on 1024x2048, the finest level
    Layer(1, 128, (32, 64), 128),
    Layer(3, 256, (64, 128), 128),  # three cameras
    Layer(1, 128, (128, 256), 128, known=False),
    Layer(1, 64, (17, 23), 64, stride=(2, 2)),
    Layer(2, 512, (33, 65), 512, pad=(2, 2), dilation=(2, 2)),
    Layer(1, 20, (9, 11), 7),  # channels that fill no tile
    Layer(1, 32, (5, 6), 33, kernel=(1, 3), pad=(0, 1)),
    Layer(1, 64, (1, 1), 64),
]


def creator() -> Any:
    return trt.get_plugin_registry().get_creator('DeformConv2d', '1', 'upsnet')


def create(attributes: dict[str, list[int]]) -> Any:
    """A plugin from attributes as the ONNX parser passes INTS on: 32-bit integers."""
    values = {name: np.array(value, np.int32) for name, value in attributes.items()}
    fields = [  # they point into the arrays, which must live until the plugin is made
        trt.PluginField(name, value, trt.PluginFieldType.INT32) for name, value in values.items()
    ]
    return creator().create_plugin(
        'DeformConv2d', 'upsnet', trt.PluginFieldCollection(fields), trt.TensorRTPhase.BUILD,
        trt.QuickPluginCreationRequest.STRICT_AOT,
    )  # fmt: skip


def dimensions(layer: Layer) -> list[list[Dimension]]:
    """Of the four inputs; of a network for any size, batch and sides are not known."""
    found = []
    for index, shape in enumerate(layer.shapes[:4]):
        open_axes = {0: (0, 2, 3), 2: (0, 2, 3)}.get(index, ()) if not layer.known else ()
        found.append([Dimension(n, known=axis not in open_axes) for axis, n in enumerate(shape)])
    return found


def descriptions(layer: Layer, kind: Any, layouts: list[Any]) -> list[Any]:
    types = [kind, kind, FLOAT, kind, kind]
    shapes = layer.shapes
    if not layer.known:
        shapes = [
            (-1, shape[1], -1, -1) if index in (0, 2, 4) else shape
            for index, shape in enumerate(shapes)
        ]
    return [
        tensor(shape, own, layout)
        for shape, own, layout in zip(shapes, types, layouts, strict=True)
    ]


def test_the_registry_knows_it_by_name_version_and_namespace() -> None:
    found = creator()
    assert found is not None
    assert (found.name, found.plugin_version, found.plugin_namespace) == (
        'DeformConv2d', '1', 'upsnet',
    )  # fmt: skip
    assert [field.name for field in found.field_names] == list(ATTRIBUTES)


@pytest.fixture(params=[HALF, FLOAT], ids=['fp16', 'fp32'])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def built(layer: Layer, kind: Any) -> Any:
    """The plugin after types and shapes were asked for."""
    made = create(layer.attributes)
    assert made.get_output_data_types([kind, kind, FLOAT, kind], [4, 4, 4, 1]) == [kind]
    (shape,) = made.get_output_shapes(dimensions(layer), [], Builder())
    assert tuple(side.value for side in shape) == layer.shapes[4]
    assert [side.known for side in shape] == [layer.known, True, layer.known, layer.known]
    return made


@pytest.mark.parametrize('layer', LAYERS, ids=str)
def test_every_tactic_launches_the_grid_of_its_tile(
    monkeypatch: pytest.MonkeyPatch, layer: Layer, kind: Any
) -> None:
    use_symbolic_dimensions(monkeypatch)
    made = built(layer, kind)
    found = made.get_supported_format_combinations(descriptions(layer, kind, [LINEAR] * 5), 4)
    assert len(found) % 5 == 0 and found
    launched = set()
    for begin in range(0, len(found), 5):
        combination = found[begin : begin + 5]
        assert [entry.type for entry in combination] == [kind, kind, FLOAT, kind, kind]
        layouts = [entry.format for entry in combination]
        assert layouts[1:] == [LINEAR] * 4
        in_out = descriptions(layer, kind, layouts)
        made.configure_plugin(in_out[:4], in_out[4:])
        for tactic in made.get_valid_tactics():
            launched.add((launch(made, layer, in_out, tactic), layouts[0]))
    assert {layout for _, layout in launched} >= {LINEAR}
    tiles = [plugin.KERNELS[tactic - 1].tile for tactic, _ in launched]
    assert {tile.precision for tile in tiles} == {'float16' if kind == HALF else 'float32'}
    assert all(
        tile.channels_last == (layout != LINEAR)
        for tile, (_, layout) in zip(tiles, launched, strict=True)
    )
    if layer.channels % 32 == 0:
        assert len(launched) >= 4


def launch(made: Any, layer: Layer, in_out: list[Any], tactic: int) -> int:
    """Ask for a tactic's kernel and compare its launch with the grid that Triton would use."""
    made.set_tactic(tactic)
    parameters, scalars = SimpleNamespace(), Scalars()
    made.get_launch_params(dimensions(layer), in_out, 4, parameters, scalars, Builder())
    tile = plugin.KERNELS[tactic - 1].tile
    out_height, out_width = layer.out_size
    programs = (
        -(-(out_height * out_width) // tile.pixels)
        * -(-layer.out_channels // tile.out_channels)
        * layer.batch
    )
    grid = [getattr(parameters, f'grid_{axis}').value for axis in 'xyz']
    assert grid == [programs, 1, 1]
    block = [getattr(parameters, f'block_{axis}').value for axis in 'xyz']
    assert block == [tile.threads, 1, 1]
    assert scalars.nbSymExprs == len(scalars) == len(SCALARS)
    values = {name: scalars[index].value for index, name in enumerate(SCALARS)}
    assert values == expected_scalars(layer)
    descriptions = [entry.desc for entry in in_out]
    name, text = made.get_kernel(descriptions[:4], descriptions[4:])
    check_text(name, text.decode(), tile.threads, parameters.shared_mem.value)
    return tactic


def expected_scalars(layer: Layer) -> dict[str, int]:
    height, width = layer.size
    out_height, out_width = layer.out_size
    values = {
        'in_channels': layer.channels, 'height': height, 'width': width,
        'out_channels': layer.out_channels, 'out_height': out_height, 'out_width': out_width,
        'groups': 1, 'offset_groups': 1, 'weight_row_units': layer.row // 16,
    }  # fmt: skip
    for name, pair, (first, second) in (
        ('kernel', layer.kernel, ('height', 'width')),
        ('stride', layer.stride, ('height', 'width')),
        ('pad', layer.pad, ('top', 'left')),
        ('dilation', layer.dilation, ('height', 'width')),
    ):
        values[f'{name}_{first}'], values[f'{name}_{second}'] = pair
    return values


def check_text(name: str, text: str, threads: int, shared: int) -> None:
    """What TensorRT asks of a text that it launches: see the facts in ``ptx_text.py``."""
    entry = re.search(rf'\.visible \.entry {name}\((.*?)\)', text, re.DOTALL)
    parameters = re.findall(r'\.param \.(u64|u32)', entry[1])
    assert parameters == ['u64'] * 4 + ['u32'] * len(SCALARS) + ['u64']
    assert f'.reqntid {threads}' in text
    assert re.search(r'^\.target sm_80$', text, re.MULTILINE)
    assert 0 < shared <= 48 * 1024


def test_channels_last_is_offered_where_no_channel_is_padding() -> None:
    assert plugin.tactics_for('float16', 256, channels_last=True)
    assert plugin.tactics_for('float16', 20, channels_last=True) == []
    assert plugin.tactics_for('float16', 20, channels_last=False)
    both = [plugin.tactics_for('float32', 64, channels_last=last) for last in (False, True)]
    assert min(both[0] + both[1]) >= 1 and not set(both[0]) & set(both[1])


@pytest.mark.parametrize(
    'layer, message',
    [
        (Layer(1, 64, (8, 8), 64, pad=(2, 2), kernel=(1, 1)), None),
        (Layer(1, 64, (70000, 70000), 64), 'values of an input image'),
    ],
)
def test_sizes_that_cannot_be_launched_are_refused(
    monkeypatch: pytest.MonkeyPatch, layer: Layer, message: str | None
) -> None:
    use_symbolic_dimensions(monkeypatch)
    made = built(layer, HALF)
    in_out = descriptions(layer, HALF, [LINEAR] * 5)
    made.get_supported_format_combinations(in_out, 4)
    made.configure_plugin(in_out[:4], in_out[4:])
    tactic = made.get_valid_tactics()[0]
    if message is None:
        assert launch(made, layer, in_out, tactic) == tactic
        return
    made.set_tactic(tactic)
    with pytest.raises(ParameterError, match=message):
        made.get_launch_params(
            dimensions(layer), in_out, 4, SimpleNamespace(), Scalars(), Builder()
        )


def test_what_there_is_no_kernel_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    use_symbolic_dimensions(monkeypatch)
    with pytest.raises(ParameterError, match='INT8: expected float32 or float16'):
        plugin.precision_of(trt.DataType.INT8)
    with pytest.raises(ParameterError, match='tactic 0 of upsnet::DeformConv2d'):
        plugin.kernel_of(0)
    made = create(ATTRIBUTES | {'pads': [1, 1, 0, 0]})
    made.get_output_data_types([HALF, HALF, FLOAT, HALF], [4, 4, 4, 1])
    layer = Layer(1, 64, (8, 8), 64)
    made.get_output_shapes(dimensions(layer), [], Builder())
    in_out = descriptions(layer, HALF, [LINEAR] * 5)
    made.get_supported_format_combinations(in_out, 4)
    made.configure_plugin(in_out[:4], in_out[4:])
    made.set_tactic(made.get_valid_tactics()[0])
    with pytest.raises(ParameterError, match='the same at both ends'):
        made.get_launch_params(
            dimensions(layer), in_out, 4, SimpleNamespace(), Scalars(), Builder()
        )


def test_an_attribute_of_another_operator_is_refused() -> None:
    with pytest.raises(AssertionError, match='Unexpected attribute groups'):
        create(ATTRIBUTES | {'groups': [1]})
