# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results of the evaluation command: files, bad frames, resumption, shares of the frames."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tests.fakes.gpu_libraries import write_cuda_library
from tests.fakes.panoptic_data import CAR, PERSON, WALL, segment, write_data_set
from tests.fakes.small_networks import lively_model, make_checkpoint
from tests.fakes.town import image_of, truth_of
from training.checkpoint import save_checkpoint
from training.evaluate import main
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe

ROOT = Path(__file__).parents[2]
TIMES = ('seconds_per_frame', 'environment', 'command')


def command(checkpoint: Path, data: Path, output: Path, *options: str) -> list[str]:
    return ['--model', str(checkpoint), '--data', str(data), '--output', str(output), *options]


def results(output: Path) -> dict[str, Any]:
    return json.loads((output / 'metrics.json').read_text())


def figures(output: Path) -> dict[str, Any]:
    """All that does not depend on the clock."""
    return {key: value for key, value in results(output).items() if key not in TIMES}


@pytest.fixture(scope='module')
def whole(checkpoint: Path, town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation of all training frames."""
    output = tmp_path_factory.mktemp('whole') / 'out'
    assert main(command(checkpoint, town, output, '--split', 'train')) == 0
    return output


def test_every_result_is_there(whole: Path) -> None:
    metrics = results(whole)
    assert metrics['frames'] == 3
    assert metrics['command'].startswith('python -m training.evaluate --model ')
    assert metrics['ap']['of'] == 'detections' and metrics['cityscapes_ap']['ap'] is not None
    assert 0 <= metrics['ap']['box']['ap'] <= 100
    assert len(json.loads((whole / 'frames.json').read_text())) == 3
    assert len(list((whole / 'worst').glob('*.jpg'))) == 3
    for path in (whole / 'worst').glob('*.jpg'):
        assert cv2.imread(str(path)).shape[1] > 300
    report, page = (whole / 'report.md').read_text(), (whole / 'report.html').read_text()
    assert (
        '| PQ | SQ | RQ | PQ-Th |' in report and f'| {metrics["pq"]["all"]["pq"]:.1f} |' in report
    )
    assert page.count('data:image/jpeg;base64,') == 12
    predictions = json.loads((whole / 'predictions' / 'panoptic.json').read_text())
    assert [entry['image_id'] for entry in predictions['annotations']] == [
        f'town_00000{index}_000000' for index in range(3)
    ]
    for folder, pattern in (('semantic', '*.png'), ('instances', '*.txt'), ('panoptic', '*.png')):
        assert len(list((whole / 'predictions' / folder).glob(pattern))) == 3


def test_written_predictions_have_the_same_quality(
    whole: Path, town: Path, tmp_path: Path
) -> None:
    arguments = ['--predictions', str(whole / 'predictions' / 'panoptic.json')]
    arguments += ['--data', str(town), '--split', 'train', '--output', str(tmp_path)]
    assert main(arguments) == 0
    metrics = results(tmp_path)
    assert metrics['pq'] == results(whole)['pq']
    assert metrics['miou'] is metrics['ap'] is metrics['cityscapes_ap'] is None
    assert '| run time' in (tmp_path / 'report.md').read_text()


def test_detections_do_not_change_labels(
    checkpoint: Path, town: Path, whole: Path, tmp_path: Path
) -> None:
    options = ['--split', 'train', '--no-ap', '--workers', '0', '--worst', '0']
    assert main(command(checkpoint, town, tmp_path, *options)) == 0
    assert results(tmp_path)['ap'] is results(tmp_path)['cityscapes_ap'] is None
    for key in ('pq', 'miou', 'unknown_share'):
        assert results(tmp_path)[key] == results(whole)[key]
    assert not list((tmp_path / 'worst').glob('*'))


def test_an_interrupted_evaluation_goes_on(
    checkpoint: Path, data: Path, whole: Path, tmp_path: Path
) -> None:
    output, broken = tmp_path / 'out', image_of(data, 2)
    good = broken.read_bytes()
    broken.write_bytes(good[:50])
    arguments = command(checkpoint, data, output, '--split', 'train')
    assert main(arguments) == 1
    assert not (output / 'metrics.json').exists()
    done = (output / 'journal' / 'part_0.jsonl').read_text().splitlines()
    assert len(done) == 3  # the settings and two frames
    broken.write_bytes(good)
    masks = output / 'predictions' / 'panoptic'
    before = {path.name: path.stat().st_mtime_ns for path in masks.glob('*.png')}
    assert main(arguments) == 0
    after = {path.name: path.stat().st_mtime_ns for path in masks.glob('*.png')}
    assert len(before) == 2 and before.items() < after.items()  # nothing labelled twice
    want = figures(whole)
    assert {**figures(output), 'data': None} == {**want, 'data': None}


def test_bad_frames_are_skipped_and_told_of(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth_of(data, 1).unlink()
    arguments = command(checkpoint, data, tmp_path / 'out', '--split', 'train')
    assert main(arguments) == 1
    assert 'town_000001_000000' in caplog.text
    caplog.clear()
    assert main([*arguments, '--skip-bad']) == 0
    metrics = results(tmp_path / 'out')
    assert metrics['frames'] == 2
    (skipped,) = metrics['skipped']
    assert skipped['name'] == 'town_000001_000000' and 'instanceIds.png' in skipped['problem']
    assert '1 frame could not be evaluated' in caplog.text
    assert 'town\\_000001' in (tmp_path / 'out' / 'report.md').read_text()


def test_nothing_evaluated_is_an_error(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in data.glob('gtFine/val/town/*'):
        path.write_bytes(b'')
    assert main(command(checkpoint, data, tmp_path / 'out', '--skip-bad')) == 1
    assert 'none of 2 frames could be evaluated: town_000003_000000' in caplog.text
    assert not (tmp_path / 'out' / 'metrics.json').exists()


def test_another_model_does_not_mix_with_the_first(
    checkpoint: Path, town: Path, whole: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = command(checkpoint, town, whole, '--split', 'train', '--no-unknown')
    before = figures(whole)
    assert main(arguments) == 1
    assert 'options.parameters.predict_unknown: True there, False now' in caplog.text
    assert figures(whole) == before


def test_processes_share_the_frames(
    checkpoint: Path, town: Path, whole: Path, tmp_path: Path
) -> None:
    run = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    run += ['-m', 'training.evaluate', *command(checkpoint, town, tmp_path, '--split', 'train')]
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [*run, '--device', 'cpu'],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count('written to') + done.stdout.count('written to') == 1
    assert figures(tmp_path) == figures(whole)
    parts = sorted(path.name for path in (tmp_path / 'journal').iterdir())
    assert parts == ['part_0.jsonl', 'part_1.jsonl']


@pytest.fixture(scope='module')
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images with two objects each, in COCO format."""
    root = tmp_path_factory.mktemp('coco')
    ids = np.full((96, 160), 5)
    ids[20:60, 20:70], ids[30:90, 90:130] = 7, 9
    segments = [segment(5, WALL), segment(7, CAR), segment(9, PERSON)]
    write_data_set(
        root, {'000000000139': (segments, ids), '000000000285': (segments, ids)}, name='val2017'
    )
    return root


def test_predictions_of_any_method_on_coco(coco: Path, tmp_path: Path) -> None:
    truth = coco / 'annotations'
    arguments = ['--predictions', str(truth / 'panoptic_val2017.json'), '--data', str(coco)]
    arguments += ['--label-set', 'coco', '--format', 'coco_panoptic', '--split', 'val2017']
    assert main([*arguments, '--output', str(tmp_path)]) == 0
    metrics = results(tmp_path)
    assert metrics['pq']['all'] == {'pq': 100, 'sq': 100, 'rq': 100, 'classes': 3}
    assert metrics['data']['label_set'] == 'coco'


def test_an_empty_prediction_is_named(
    coco: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / 'predicted'
    shutil.copytree(coco / 'annotations', folder)
    path = folder / 'panoptic_val2017.json'
    content = json.loads(path.read_text())
    content['annotations'][1]['segments_info'] = []
    path.write_text(json.dumps(content))
    cv2.imwrite(
        str(folder / 'panoptic_val2017/000000000285.png'), np.zeros((96, 160, 3), np.uint8)
    )
    arguments = ['--predictions', str(path), '--data', str(coco), '--split', 'val2017']
    arguments += ['--label-set', 'coco', '--format', 'coco_panoptic']
    assert main([*arguments, '--output', str(tmp_path / 'out')]) == 0
    assert '1 frame got labels without a single segment and counts' in caplog.text
    assert results(tmp_path / 'out')['empty_predictions'] == ['000000000285']


def coco_checkpoint(recipe: Recipe, folder: Path) -> Path:
    values = recipe.to_dict()
    values['data'] |= {'label_set': 'coco', 'format': 'coco_panoptic'}
    recipe = recipe_from_dict(values)
    save_checkpoint(make_checkpoint(recipe, lively_model(recipe)), folder / 'coco.pt')
    return folder / 'coco.pt'


def test_wrong_entries_of_the_list_of_frames_are_skipped_too(
    coco: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / 'data'
    shutil.copytree(coco, data)
    path = data / 'annotations/panoptic_val2017.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['segments_info'].append(segment(5, CAR))
    path.write_text(json.dumps(content))
    arguments = ['--predictions', str(coco / 'annotations/panoptic_val2017.json')]
    arguments += ['--data', str(data), '--split', 'val2017', '--label-set', 'coco']
    arguments += ['--format', 'coco_panoptic', '--output', str(tmp_path / 'out')]
    assert main(arguments) == 1
    assert 'segment id 5' in caplog.text
    assert main([*arguments, '--skip-bad']) == 0
    metrics = results(tmp_path / 'out')
    (skipped,) = metrics['skipped']
    assert skipped['name'] == '000000000139' and 'segment id 5' in skipped['problem']
    assert metrics['frames'] == 1 and metrics['pq']['all']['pq'] == 100


def test_cocos_own_evaluation_reads_the_results_file(
    small_recipe: Recipe, coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    checkpoint = coco_checkpoint(small_recipe, tmp_path)
    output = tmp_path / 'out'
    arguments = command(checkpoint, coco, output, '--split', 'val2017')
    assert main([*arguments, '--format', 'coco_panoptic']) == 0
    metrics, predictions = results(output), output / 'predictions'
    assert metrics['cityscapes_ap'] is None
    panoptic = json.loads((coco / 'annotations/panoptic_val2017.json').read_text())
    truth = COCO()
    truth.dataset = {
        'images': panoptic['images'],
        'categories': panoptic['categories'],
        'annotations': [
            {'id': number, 'image_id': image, 'category_id': category, 'bbox': box,
             'area': box[2] * box[3], 'iscrowd': 0}
            for number, (image, category, box) in enumerate(
                [(i, c, b) for i in (0, 1)
                 for c, b in ((CAR, [20, 20, 50, 40]), (PERSON, [90, 30, 40, 60]))], 1
            )
        ],
    }  # fmt: skip
    truth.createIndex()
    official = COCOeval(truth, truth.loadRes(str(predictions / 'detections_bbox.json')), 'bbox')
    official.evaluate()
    official.accumulate()
    official.summarize()
    assert official.stats[0] * 100 == pytest.approx(metrics['ap']['box']['ap'], abs=1e-9)
    masks = json.loads((predictions / 'detections_segm.json').read_text())
    assert masks and {entry['image_id'] for entry in masks} <= {0, 1}
    capsys.readouterr()


def test_a_split_without_truth_gets_its_predictions(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    shutil.rmtree(data / 'gtFine' / 'val')
    output = tmp_path / 'out'
    assert main(command(checkpoint, data, output)) == 0
    assert f'no truth, so there are no figures; 2 predictions in {output}' in caplog.text
    content = json.loads((output / 'predictions/panoptic.json').read_text())
    names = [f'town_{index:06d}_000000' for index in (3, 4)]
    assert [entry['image_id'] for entry in content['annotations']] == names
    assert all(entry['segments_info'] for entry in content['annotations'])
    for name in names:
        assert (output / f'predictions/semantic/{name}.png').is_file()
        assert (output / f'predictions/instances/{name}.txt').is_file()
    metrics = results(output)
    assert metrics['pq']['all']['classes'] == 0 and metrics['ap'] is None
    assert not (output / 'worst').exists()
    assert 'no truth' in (output / 'report.md').read_text()


def test_a_split_whose_truth_is_kept_secret_gets_its_predictions(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The test split of Cityscapes comes with truth in which every pixel is void."""
    caplog.set_level('INFO')
    for path in (data / 'gtFine' / 'val').rglob('*_instanceIds.png'):
        cv2.imwrite(str(path), np.full_like(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 3))
    output = tmp_path / 'out'
    assert main(command(checkpoint, data, output)) == 0
    content = json.loads((output / 'predictions/panoptic.json').read_text())
    assert len(content['annotations']) == 2
    assert len(list((output / 'predictions/semantic').iterdir())) == 2
    assert results(output)['pq']['all']['classes'] == 0
    told = 'Every pixel of the truth is void'
    assert told in caplog.text and f'no figures; written to {output}' in caplog.text
    assert told in (output / 'report.md').read_text()


@pytest.mark.parametrize(
    'options', [['--no-predictions'], ['--oracle', 'boxes'], ['--predictions', 'any.json']]
)
def test_what_needs_truth_is_refused_without_it(
    checkpoint: Path, coco: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    options: list[str],
) -> None:  # fmt: skip
    data = Path(shutil.copytree(coco, tmp_path / 'data'))
    (data / 'annotations/panoptic_val2017.json').rename(tmp_path / 'any.json')
    (data / 'annotations/panoptic_val2017').rename(tmp_path / 'any')
    if options[0] == '--predictions':
        arguments = ['--predictions', str(tmp_path / 'any.json'), '--data', str(data)]
        arguments += ['--output', str(tmp_path / 'out')]
    else:
        arguments = command(checkpoint, data, tmp_path / 'out', *options)
    assert main([*arguments, '--format', 'coco_panoptic']) == 1
    assert f'2 images and no truth, so {options[0]} cannot be had' in caplog.text
    assert not (tmp_path / 'out').exists()


def test_own_drives_are_measured_without_the_files_of_cityscapes(
    checkpoint: Path, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    for index, drive in ((3, 'monday'), (4, 'tuesday')):  # the same name in two drives
        for path, ending in (
            (image_of(data, index, split='val'), 'leftImg8bit.jpg'),
            (truth_of(data, index, split='val'), 'gtFine_instanceIds.png'),
        ):
            new = path.parents[1] / drive / f'front1_{ending}'
            new.parent.mkdir()
            cv2.imwrite(str(new), cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
            path.unlink()
    output = tmp_path / 'out'
    assert main(command(checkpoint, data, output)) == 0
    assert "the tools of Cityscapes, which find no frame of the name 'monday/f" in caplog.text
    metrics = results(output)
    assert (metrics['frames'], metrics['cityscapes_ap']) == (2, None)
    assert metrics['ap']['box']['ap'] is not None
    cars = next(c for c in metrics['pq']['per_class'] if c['name'] == 'car')
    assert cars['true_positives'] + cars['false_negatives'] == 2
    frames = json.loads((output / 'frames.json').read_text())
    assert [entry['name'] for entry in frames] == ['monday/front1', 'tuesday/front1']
    # What was written is read again, each frame as its own.
    arguments = ['--predictions', str(output / 'predictions'), '--data', str(data)]
    assert main([*arguments, '--output', str(tmp_path / 'again')]) == 0
    assert results(tmp_path / 'again')['pq'] == metrics['pq']


def test_frames_that_differ_in_the_ending_count_once_each(coco: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(coco, tmp_path / 'data'))
    (data / 'val2017/000000000285.jpg').rename(data / 'val2017/000000000139.png')
    path = data / 'annotations/panoptic_val2017.json'
    path.write_text(path.read_text().replace('000000000285.jpg', '000000000139.png'))
    arguments = ['--predictions', str(path), '--data', str(data), '--split', 'val2017']
    assert main([*arguments, '--output', str(tmp_path / 'out')]) == 0
    metrics = results(tmp_path / 'out')
    assert metrics['frames'] == 2 and metrics['pq']['all']['pq'] == 100
    counts = {entry['name']: entry['true_positives'] for entry in metrics['pq']['per_class']}
    assert (counts['car'], counts['person']) == (2, 2)


def test_a_model_of_other_classes_is_told(
    checkpoint: Path, coco: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = command(checkpoint, coco, tmp_path, '--split', 'val2017')
    assert main([*arguments, '--label-set', 'coco']) == 1
    assert "--label-set is 'coco', but the model has the classes of 'cityscapes'" in caplog.text
    assert main(arguments) == 0
    line = "categories that the label set lacks; their pixels are void (4): 199 '199', 1 '1'"
    assert f'The classes of the data are others: {line}' in caplog.text
    assert line in (tmp_path / 'report.md').read_text().replace('\\', '')


def test_a_class_that_is_nowhere_has_a_dash(coco: Path, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level('INFO')
    arguments = ['--predictions', str(coco / 'annotations/panoptic_val2017.json')]
    arguments += ['--data', str(coco), '--split', 'val2017', '--output', str(tmp_path)]
    assert main(arguments) == 0
    words = [line.split() for line in caplog.text.splitlines()]
    lines = {line[0]: line[1:4] for line in words if len(line) == 7}
    assert lines['car'] == ['100.0'] * 3
    assert lines['bicycle'] == ['–'] * 3


def test_an_engine_is_measured_as_its_model_is(
    town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ROOT / 'config/models/upsnet_tiny_synthetic/model.onnx'
    libraries = tmp_path / 'libraries'
    write_cuda_library(libraries)
    (libraries / 'tensorrt.py').write_text(
        'from tests.fakes import tensorrt_over_onnxruntime as fake\nfake.install()\n'
    )
    environment = os.environ | {'PYTHONPATH': f'{libraries}:{ROOT}'}
    engine = tmp_path / 'engine' / 'model.engine'
    for module, options in (
        ('build_engine', ['--model', model, '--output', engine, '--frames', '1']),
        ('evaluate', command(engine, town, tmp_path / 'engine_out')),
        ('evaluate', command(model, town, tmp_path / 'onnx_out')),
    ):
        run = [sys.executable, '-m', f'training.{module}', *map(str, options)]
        done = subprocess.run(
            run, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
    measured, expected = results(tmp_path / 'engine_out'), results(tmp_path / 'onnx_out')
    assert measured['model']['path'] == str(engine)
    for key in ('pq', 'miou', 'ap', 'cityscapes_ap'):
        assert measured[key] == expected[key]
