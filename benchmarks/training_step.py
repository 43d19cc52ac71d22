# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training step costs: UPSNet-50 beside torchvision's Mask R-CNN, and the demo recipe.

UPSNet trains Mask R-CNN and two more heads. Both networks see the same images and boxes,
alternately in one process; peak memory is that of a process that runs one of them alone. The demo
recipe is trained from files, for the share of its time that goes into waiting for images.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.data.sample import Sample  # noqa: E402 - after the path of this checkout
from training.distributed import Processes  # noqa: E402
from training.recipe.reading import load_recipe  # noqa: E402
from training.run import run  # noqa: E402
from training.synthetic.__main__ import main as make_drives  # noqa: E402
from training.trainer import Trainer  # noqa: E402

RECIPES = ROOT / 'config' / 'training'
OBJECTS = 12
NETWORKS = ('upsnet', 'mask_rcnn')


def make_sample(size: tuple[int, int], labels: Any) -> Sample:
    """A random image with rectangular objects; later ones lie over earlier ones."""
    height, width = size
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    semantic = torch.zeros((height, width), dtype=torch.uint8)
    instances = torch.full((height, width), -1, dtype=torch.int16)
    boxes, polygons = torch.zeros(OBJECTS, 4), []
    for index in range(OBJECTS):
        x = int(torch.randint(0, width - 70, (), generator=generator))
        y = int(torch.randint(0, height - 70, (), generator=generator))
        side = 16 + 4 * index
        boxes[index] = torch.tensor([x, y, x + side, y + side])
        instances[y : y + side + 1, x : x + side + 1] = index
        semantic[instances == index] = labels.num_stuff + index % labels.num_things
        corners = [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
        polygons.append([torch.tensor(corners, dtype=torch.float32).numpy()])
    return Sample(
        name='random',
        image=image,
        semantic=semantic,
        boxes=boxes,
        classes=torch.arange(OBJECTS) % labels.num_things + 1,
        instances=instances,
        size=size,
        scale=1.0,
        polygons=polygons,
    )


def upsnet_step(sample: Sample, device: str) -> Callable[[], Any]:
    """One step of the published UPSNet-50 recipe with one image."""
    recipe = load_recipe(
        RECIPES / 'upsnet_r50_cityscapes.yaml', overrides=['optimisation.batch_size=1']
    )
    trainer = Trainer(recipe, Processes(0, 1, torch.device(device)))
    # A random network with frozen normalisation would overflow at the published rate.
    trainer.schedule = type(trainer.schedule)(1e-6, 10**6, 0, 'step')
    return lambda: trainer.step([[sample]])


def mask_rcnn_step(sample: Sample, device: str) -> Callable[[], Any]:
    """One step of torchvision's Mask R-CNN on the same image, at the same size.

    This is ``maskrcnn_resnet50_fpn`` as it is from pretrained weights: the stem, the first stage
    and normalisation frozen, as in UPSNet.
    """
    height, width = sample.size
    backbone = resnet_fpn_backbone(
        backbone_name='resnet50', weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    model = MaskRCNN(backbone, num_classes=9, min_size=height, max_size=width)
    model = model.to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1e-6, momentum=0.9, weight_decay=1e-4)
    image = sample.image.to(device).float() / 255
    target = {
        'boxes': sample.boxes.to(device),
        'labels': sample.classes.to(device),
        'masks': sample.masks.to(device).to(torch.uint8),
    }

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        sum(model([image], [target]).values()).backward()
        optimiser.step()

    return step


def make_step(network: str, size: tuple[int, int], device: str) -> Callable[[], Any]:
    """A step of one of the two networks."""
    labels = load_recipe(RECIPES / 'upsnet_r50_cityscapes.yaml').data.label_set
    sample = make_sample(size, labels)
    return {'upsnet': upsnet_step, 'mask_rcnn': mask_rcnn_step}[network](sample, device)


def time_steps(size: tuple[int, int], device: str, repeat: int) -> dict[str, float]:
    """Median seconds of both steps, taken alternately, and their ratio."""
    steps = {name: make_step(name, size, device) for name in NETWORKS}
    times: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for turn in range(repeat + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if device == 'cuda':
                torch.cuda.synchronize()
            if turn:
                times[name].append(time.perf_counter() - started)
    result = {f'{name}_s': statistics.median(values) for name, values in times.items()}
    result['images_per_s'] = 1 / result['upsnet_s']
    result['over_mask_rcnn'] = result['upsnet_s'] / result['mask_rcnn_s']
    return result


def peak_memory_mb(network: str, size: tuple[int, int], device: str) -> float:
    """Peak memory of a process that does two steps of one network alone."""
    height, width = size
    command = [sys.executable, __file__, '--alone', network, '--size', f'{width}x{height}']
    answer = subprocess.run(
        [*command, '--device', device], capture_output=True, text=True, check=True
    )
    return float(answer.stdout.split()[-1])


def run_alone(network: str, size: tuple[int, int], device: str) -> None:
    """Two steps of one network; prints the peak memory in MB."""
    step = make_step(network, size, device)
    for _ in range(2):
        step()
    if device == 'cuda':
        print(torch.cuda.max_memory_allocated() / 1e6)
    else:
        print(peak_resident_mb())


def peak_resident_mb() -> float:
    """Peak resident memory of this program; ``getrusage`` would count the one that started it."""
    status = Path('/proc/self/status').read_text()
    (line,) = [line for line in status.splitlines() if line.startswith('VmHWM:')]
    return int(line.split()[1]) * 1024 / 1e6


def demo_recipe(steps: int) -> dict[str, float]:
    """Train the demo recipe from files for some steps."""
    recipe = load_recipe(
        RECIPES / 'upsnet_tiny_synthetic.yaml',
        overrides=[
            f'optimisation.iterations={steps}',
            'optimisation.warmup_iterations=2',
            'monitoring.validate_every=0',
            'monitoring.picture_every=0',
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / 'drives', Path(folder) / 'run'
        make_drives(['--output', str(data), '--train', '24', '--seed', '3'])
        output.mkdir()
        trainer = Trainer(recipe)
        waiting = run(trainer, data, output, workers=1)
    images = steps * recipe.optimisation.batch_size
    return {'images_per_s': images / trainer.seconds, 'waiting_for_data_share': waiting}


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of ``WxH``."""
    width, height = (int(part) for part in text.split('x'))
    return height, width


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--size', type=parse_size, default=(256, 512), help='WxH of the images')
    parser.add_argument('--repeat', type=int, default=5, help='timed steps of each network')
    parser.add_argument('--demo-steps', type=int, default=12, help='steps of the demo recipe')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--alone', choices=NETWORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        run_alone(options.alone, options.size, options.device)
        return 0
    result = {'resnet50': time_steps(options.size, options.device, options.repeat)}
    for network in NETWORKS:
        memory = peak_memory_mb(network, options.size, options.device)
        result['resnet50'][f'{network}_peak_mb'] = memory
    result['demo_recipe'] = demo_recipe(options.demo_steps)
    for group, values in result.items():
        for name, value in values.items():
            print(f'{group:14}{name:26}{value:10.3f}')
    write_results(
        options.output,
        'training_step',
        (torch, torchvision),
        {'threads': torch.get_num_threads(), 'size': options.size, 'device': options.device}
        | result,
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
