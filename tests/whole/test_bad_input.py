"""Whatever is wrong with a call is answered in words: what came, what is allowed, and what to do."""

from __future__ import annotations

# ruff: noqa: F401 (the calls below are texts, which ruff does not read)
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dlvc import __main__ as command_line
from dlvc import config, data, files, metrics, plots, widgets
from dlvc.data import augment
from dlvc.data.sketch10 import sketches as sketch10
from dlvc.experiments import folder as run_files
from dlvc.experiments import records, running, sweeps, tables
from dlvc.experiments import registry as experiments
from dlvc.inspection import attention, explanation, gradient_maps, robustness
from dlvc.inspection import attention_statistics as statistics
from dlvc.inspection.preflight_checks import preflight
from dlvc.lessons import exercises_of, notebooks
from dlvc.lessons.guesses import form as prediction
from dlvc.lessons.guesses import store as predictions
from dlvc.lessons.silent_bugs import cases, figure, traces
from dlvc.models import baselines, cnn, resnet, vit
from dlvc.training import checkpoint, device, evaluation
from dlvc.training import loop as training
from dlvc.widgets.explorers import layer_size, positions

IMAGES = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 2, 3])
COUNTS = torch.eye(10, dtype=torch.int64)
MAPS = torch.full((4, 64, 64), 1 / 64)
MASKS = torch.zeros(4, 32, 32, dtype=torch.bool)
VIT = vit.VisionTransformer(depth=1, num_heads=2)
QUICK = config.TrainConfig(epochs=1, train_size=20, evaluation_size=20, device="cpu")
RECORD = records.load_records()[0]
GENERATOR = augment.epoch_generator(0, 1)
DRAWS = augment.random_draws(4, GENERATOR)
WIDE_DRAWS = augment.random_draws(4, augment.epoch_generator(0, 1), padding=60)
LAYER = {
    "kind": "convolution",
    "size": 8,
    "channels": 3,
    "filters": 6,
    "kernel": 3,
    "stride": 1,
    "padding": 0,
}
GRID = {"patch_grid": (2, 3), "patch_size": 4, "class_token": True}
WORDS = {"place_label": "depth", "value_label": "size", "says": "A line."}
ASKED = {"notebook": "01", "name": "count", "question": "How many?"}
NARROW = nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))  # three scores instead of ten


def deleted(labels=LABELS, scores=MAPS[:, 0], **options):
    return explanation.deletion_curve(cnn.SimpleCNN(), IMAGES, labels, scores, **options)


def one_image(sketches):
    return replace(sketches, train=sketches.train.first(1))


# The call; what the message says came, what is allowed, what to do.
REFUSED = [
    # settings
    ("config.TrainConfig(epochs=0)", "got 0", "between 1 and 1000", "Try 10"),
    ("config.TrainConfig(epochs=2.5)", "got 2.5", "a whole number", "Try 10"),
    ("config.TrainConfig(learning_rate=10**400)", "type int", "between 1e-05 and 1.0", "Try 0.001"),
    ("config.TrainConfig(learning_rate=torch.tensor(0.1))", "got tensor", "a finite number", "Try"),
    ("config.TrainConfig(optimizer=['adam'])", "got ['adam']", "one of adam, adamw", "Try 'adam'"),
    ("config.TrainConfig(seed=None)", "got None", "a whole number", "Try 0"),
    ("config.TrainConfig(learning_rate='0.1')", "got '0.1'", "a finite number", "Try 0.001"),
    ("config.TrainConfig(learning_rate=float('nan'))", "got nan", "a finite number", "Try 0.001"),
    ("config.TrainConfig(epochs=True)", "got True", "a whole number", "Try 10"),
    ("config.TrainConfig(seed=-1)", "got -1", "between 0 and 2147483647", "Try 0"),
    ("config.current_profile('SMOKE')", "got 'SMOKE'", "smoke, class, full", "Try 'class'"),
    # data
    ("data.load_data('CIFAR10')", "got 'CIFAR10'", "one of auto, cifar10, sketch10", "Try 'auto'"),
    ("data.load_data('sketch10', sizes=5)", "got (5,)", "three whole numbers", "Try (10000"),
    ("data.load_data('sketch10', sizes=(1, 1))", "got (1, 1)", "three whole numbers", "Try (10000"),
    ("data.load_data('sketch10', sizes=(9, 0, 1.5))", "got (9, 0, 1.5)", "of at least 1", "Try (10000"),
    ("data.load_data('sketch10', sizes=(10**12, 1, 1))", "got (1000", "at most 1,000,000", "Try"),
    ("data.load_data('sketch10', seed=-1)", "got -1", "a whole number of at least 0", "Try 0"),
    ("data.load_data('auto', directory=3)", "got 3", "str or PathLike", "Give the path"),
    ("data.fetch_cifar10(3)", "got 3", "str or PathLike", "Give the path"),
    ("sketch10.draw_sketches(0)", "got 0", "a whole number of at least 1", "Try 1000"),
    ("sketch10.draw_sketches(5, size=4)", "got 4", "at least 8", "Try 32"),
    ("sketch10.draw_sketches(5, first_index=2**63)", "got 9223", "to 4,611", "Try 0"),
    ("sketch10.draw_sketches(5, factors={})", "type dict", "type Factors", "Factors(rotation="),
    ("sketch10.Factors(scale=3)", "got 3", "a pair (low, high)", "Try (0.65, 0.95)"),
    ("sketch10.Factors(noise=(0.5, 0.1))", "got (0.5, 0.1)", "low <= high", "Try (0.0, 0.06)"),
    ("sketch10.Factors(noise=(0, float('nan')))", "got (0, nan)", "noise must be a pair", "Try (0.0, 0.06)"),
    ("sketch10.Factors(background_signal=1.5)", "got 1.5", "between 0 and 1", "Try 0.0"),
    ("sketch10.Factors(mirror='yes')", "got 'yes'", "between 0 and 1", "Try 0.5."),
    ("data.Split(IMAGES, [0, 1, 2, 3])", "type list", "type Tensor", "torch.as_tensor"),
    ("data.Split(IMAGES.numpy(), LABELS)", "type ndarray of shape", "type Tensor", "as_tensor"),
    ("data.Split(IMAGES, LABELS + 7)", "got 7 to 10", "between 0 and 9", "Count the classes from 0"),
    ("data.Split(IMAGES.float(), LABELS)", "got torch.float32", "must be uint8", "Convert"),
    ("data.Split(IMAGES.permute(0, 2, 3, 1), LABELS)", "(4, 32, 32, 3)", "shape (N, 3, H, W)", "permute"),
    ("data.Split(IMAGES, LABELS - 100)", "got -100 to -97", "between 0 and 9", "Count the classes from 0"),
    ("data.Split(IMAGES, LABELS[:3])", "(3,)", "labels must be int64 of shape (4,)", "one for each image"),
    ("data.Split(IMAGES, LABELS.float())", "got torch.float32", "labels must be int64", "one for each image"),
    ("data.Split(IMAGES, LABELS, MASKS.float())", "got torch.float32", "masks must be bool", "(4, 32, 32)"),
    ("data.Split(IMAGES, LABELS, MASKS[:, None])", "(4, 1, 32, 32)", "masks must be bool", "of shape (4, 32, 32)"),
    ("data.Split(IMAGES, LABELS).first(5)", "got 5", "from 0 to 4", "Take fewer"),
    ("data.Split(IMAGES, LABELS).first(2.5)", "got 2.5", "a whole number", "Take fewer"),
    # metrics
    ("metrics.confusion_matrix([0], [0])", "got list", "integer torch tensor", "torch.as_tensor"),
    ("metrics.confusion_matrix(LABELS, LABELS.numpy())", "got ndarray", "integer torch tensor of shape", "as_tensor"),
    ("metrics.confusion_matrix(LABELS, torch.rand(4, 10))", "torch.float32", "integers", "logits.argmax(dim=1)"),
    ("metrics.confusion_matrix(LABELS.double(), LABELS)", "float64", "labels must hold class numbers", "argmax(dim=1)"),
    ("metrics.confusion_matrix(LABELS > 1, LABELS)", "torch.bool", "integers", "Use .long()"),
    ("metrics.confusion_matrix(LABELS[None], LABELS)", "got shape (1, 4)", "shape (N,)", "one class"),
    ("metrics.confusion_matrix(LABELS[0], LABELS)", "got shape ()", "shape (N,)", "one class number"),
    ("metrics.confusion_matrix(LABELS + 8, LABELS)", "got 11", "between 0 and 9", "Check the labels"),
    ("metrics.confusion_matrix(LABELS, LABELS - 1)", "got -1", "between 0 and 9", "Check the labels"),
    ("metrics.confusion_matrix(LABELS, LABELS, num_classes=0)", "got 0", "at least 1", "Try 10"),
    ("metrics.confusion_matrix(LABELS, LABELS, num_classes=2.5)", "got 2.5", "whole", "Try 10"),
    ("metrics.confusion_matrix(LABELS, LABELS[:3])", "4 labels and 3", "one entry per image", "Pass"),
    ("metrics.confusion_matrix(LABELS[:0], LABELS[:0])", "got none", "at least one", "Pass more"),
    ("metrics.accuracy(COUNTS / 10)", "got a tensor of torch.float32", "integers", "not shares"),
    ("metrics.accuracy([[1, 0], [0, 1]])", "got list", "integer torch tensor of shape (C, C)", "confusion_matrix("),
    ("metrics.accuracy(COUNTS > 0)", "torch.bool", "counts as integers", "Pass the counts"),
    ("metrics.per_class_accuracy(COUNTS[:2])", "got shape (2, 10)", "shape (C, C)", "one row"),
    ("metrics.mean_per_class_accuracy(COUNTS[0])", "got shape (10,)", "shape (C, C)", "one row"),
    ("metrics.per_class_accuracy(-COUNTS)", "got -1", "counts from 0 up", "Make one with"),
    ("metrics.accuracy(COUNTS * 0)", "got none", "at least one image", "Evaluate some"),
    ("metrics.accuracy(COUNTS[0])", "got shape (10,)", "shape (C, C)", "one row and one column"),
    ("metrics.accuracy(-COUNTS)", "got -1", "from 0 up", "confusion_matrix(labels"),
    ("metrics.per_class_accuracy(COUNTS > 0)", "torch.bool", "integers", "Pass the counts"),
    ("metrics.mean_per_class_accuracy(COUNTS[:2])", "got shape (2, 10)", "(C, C)", "one row"),
    ("metrics.mean_loss(None, 3)", "got None", "a single number", "Add the losses"),
    ("metrics.mean_loss(torch.ones(3), 3)", "tensor of shape (3,)", "a single number", "Add the losses"),
    ("metrics.mean_loss(torch.tensor(float('inf')), 5)", "got inf", "a finite number", "Try a lower learning_rate"),
    ("metrics.mean_loss(1.0, 0)", "got 0", "at least 1", "number of images"),
    ("metrics.mean_loss(1.0, 2.5)", "got 2.5", "a whole number", "number of images"),
    ("metrics.mean_loss(float('nan'), 3)", "got nan", "a finite number", "lower learning_rate"),
    # augmentation
    ("augment.crop_and_mirror(IMAGES[0], DRAWS)", "got (3, 32, 32)", "(B, C, H, W)", "image[None]"),
    ("augment.crop_and_mirror(IMAGES.numpy(), DRAWS)", "type ndarray", "type Tensor", "as_tensor"),
    ("augment.crop_and_mirror(IMAGES, None)", "got None", "type Draws", "Make them"),
    ("augment.crop_and_mirror(IMAGES[:3], DRAWS)", "got 4 for 3", "one draw an image", "draws.take"),
    ("augment.crop_and_mirror(IMAGES, WIDE_DRAWS)", "got ", "between 0 and 8", "the same padding"),
    ("augment.random_draws(0, GENERATOR)", "got 0", "at least 1", "number of images"),
    ("augment.random_draws(4, None)", "got None", "type Generator", "epoch_generator(seed, epoch)"),
    ("augment.random_draws(4, GENERATOR, padding=-1)", "got -1", "at least 0", "Try 4"),
    ("augment.epoch_generator(0, 0)", "got 0", "from 1 to 100,002", "The first epoch is 1"),
    ("augment.epoch_generator(2**62, 1)", "got 4611686018427387904", "from 0 to", "Try 0"),
    # sweeps and several processes
    ("sweeps.jobs_of_shard(['a'], [0], '0/4')", "got '0/4'", "i from 1 to n", "such as 2/8"),
    ("sweeps.jobs_of_shard(['a'], [0], 2)", "got 2", "i from 1 to n", "such as 2/8"),
    # models
    ("cnn.SimpleCNN(dropout=1.5)", "got 1.5", "between 0.0 and 0.9", "Try 0.5"),
    ("cnn.DeepCNN(num_classes=0)", "got 0", "at least 1", "Try 10"),
    ("cnn.SimpleCNN()(IMAGES)", "of torch.uint8", "float images (B, 3, H, W)", "images.float() / 255"),
    ("cnn.SimpleCNN()(IMAGES[0].float())", "got (3, 32, 32)", "float images (B, 3, H, W)", "use images"),
    ("cnn.DeepCNN()(IMAGES.float().mT[:, :, :16])", "got 16 x 32", "32 x 32 pixels", "Resize them"),
    ("cnn.SimpleCNN()(IMAGES.double())", "got torch.float64", "float32 images", "images.float()"),
    ("cnn.SimpleCNN()(None)", "got None", "type Tensor", "torch.as_tensor"),
    ("vit.VisionTransformer(patch_size=0)", "got 0", "between 1 and 32", "Try 4"),
    ("vit.VisionTransformer(depth=-1)", "got -1", "between 1 and 24", "Try 6"),
    ("vit.VisionTransformer(num_heads=5)", "got 5 heads", "must divide embed_dim", "Try 4 heads"),
    ("vit.VisionTransformer(patch_size=5)", "got 5 and 32", "must divide image_size", "Try 4 for"),
    ("vit.VisionTransformer(positions='none')", "got 'none'", "one of sinusoidal, learned", "Try"),
    ("vit.ConvolutionalStem(patch_size=6, embed_dim=8)", "got 6", "must be 2, 4, 8", "Try 4"),
    ("vit.sinusoidal_positions(4, 7)", "got 7", "must be even", "Try 8"),
    ("VIT(IMAGES.float()[..., :16, :16])", "16 x 16 pixels", "built for image_size=32", "image_size=32"),
    ("vit.VisionTransformer(mlp_ratio=0.5)", "got 0.5", "a whole number", "Try 2"),
    ("resnet.ResNet18(image_size=0)", "got 0", "between 16 and 256", "Try 32"),
    ("resnet.ResNet18(weights=3)", "got 3", "str or Path or dict", "Give a file"),
    ("resnet.ResNet18(weights={1: LABELS})", "under 1", "tensors only", "Pass the part"),
    ("resnet.ResNet18(weights={'epoch': 3})", "under epoch", "tensors only", "training checkpoint"),
    ("baselines.MajorityClassifier().fit([1, 2])", "got list", "integer torch tensor", "as_tensor"),
    ("baselines.MajorityClassifier().fit(LABELS + 9)", "got 12", "between 0 and 9", "Check the"),
    ("baselines.MajorityClassifier().fit(LABELS[:0])", "got none", "at least one", "Pass more"),
    ("baselines.SoftmaxRegression()(IMAGES[..., :16].float())", "got 32 x 16", "32 x 32 pixels", "Resize them"),
    ("baselines.NearestNeighbour(num_classes=3).fit(data.Split(IMAGES, LABELS))", "got 3", "between 0 and 2", "Check"),
    ("device.pick_device('tpu')", "got 'tpu'", "one of auto, cpu, cuda", "Try 'auto'"),
    ("device.pick_precision('int8', torch.device('cpu'))", "got 'int8'", "one of auto", "Try 'auto'"),
    # training
    ("training.train(NARROW, sketches, QUICK, progress=False)", "(20, 3)", "(20, 10)", "10 outputs"),
    ("training.train(cnn.SimpleCNN(), None, QUICK)", "got None", "type ImageData", "load_data()"),
    ("training.train(cnn.SimpleCNN(), sketches, {})", "type dict", "type TrainConfig", "Make one"),
    ("training.train(None, sketches, QUICK)", "got None", "type Module", "build_model(key, config)"),
    ("training.train(NARROW, sketches, config.TrainConfig())", "40,000", "only 300", "Set train_size=300"),
    ("evaluation.evaluate(NARROW, sketches.test)", "(100, 3)", "(100, 10)", "10 outputs"),
    ("evaluation.evaluate(NARROW, sketches)", "type ImageData", "type Split", "Pass data.train"),
    ("evaluation.evaluate(NARROW, sketches.test.first(0))", "got none", "evaluate needs at least one image", "Load"),
    ("evaluation.evaluate(NARROW, sketches.test, batch_size=-3)", "got -3", "at least 1", "Try 500"),
    ("evaluation.evaluate(NARROW, sketches.test, precision='int8')", "'int8'", "one of", "Try 'float32'"),
    ("evaluation.predict(NARROW, IMAGES[0])", "shape (3, 32, 32)", "(N, 3, H, W)", "images[None]"),
    ("evaluation.predict(NARROW, IMAGES.permute(0, 2, 3, 1))", "(4, 32, 32, 3)", "(N, 3,", "permute"),
    ("evaluation.predict(NARROW, IMAGES + 200.0)", "got 200 to 200", "in [0, 1]", "by 255"),
    ("evaluation.predict(NARROW, IMAGES * float('nan'))", "got nan", "in [0, 1]", "do not normalise"),
    ("evaluation.predict(NARROW, IMAGES - 1.0)", "got -1 to -1", "in [0, 1]", "by 255"),
    ("evaluation.predict(NARROW, IMAGES.float().movedim(1, 3))", "float32 of shape (4, 32, 32, 3)", "(N, 3", "permute"),
    ("evaluation.predict(NARROW, IMAGES[0].float())", "torch.float32 of shape (3, 32, 32)", "(N, 3,", "images[None]"),
    ("evaluation.predict(NARROW, IMAGES.long())", "got torch.int64 of shape", "uint8, or floats", "(N, 3, H, W)"),
    ("evaluation.predict(NARROW, IMAGES[:0])", "got none", "predict needs at least one image", "Load more data"),
    ("evaluation.predict(NARROW, IMAGES, batch_size=0)", "got 0", "at least 1", "Try 500"),
    ("attention.attention_maps(VIT, IMAGES, layers=[1])", "got 1", "from 0 to 0", "Leave layers out"),
    ("attention.class_relevance(VIT, IMAGES, [10])", "got 10", "from 0 to 9", "Leave classes out"),
    ("attention.attention_maps(VIT, IMAGES, heads=[0, -1, 4])", "got -1, 4", "from 0 to 1", "Leave heads out"),
    ("attention.attention_maps(VIT, IMAGES, heads=[])", "got none", "at least one", "Leave heads out"),
    ("statistics.attention_rollout(MAPS[None])", "got (1, 4, 64, 64)", "of all layers", "use weights[None]"),
    ("statistics.attention_distance(MAPS, **GRID)", "are for 64", "make 7 tokens", "Take patch_grid"),
    ("statistics.patch_middles((2, 3), 0)", "2 x 3 patches of 0 pixels", "count from 1", "patch_size"),
    ("explanation.share_on_object(-MAPS[:, 0], MASKS, (8, 8))", "got -0.0156", "from 0 up", "clamp"),
    ("explanation.share_on_object(torch.ones(4, 65), MASKS, (8, 8))", "got (4, 65)", "(B, ..., 64)", "8 x 8"),
    ("explanation.share_on_object(MAPS[:3, 0], MASKS, (8, 8))", "got (3, 64) and (4, 32, 32)", "(B, ", "masks"),
    ("explanation.share_on_object(torch.ones(4, 9), MASKS, (3, 3))", "got 3 x 3", "divide", "32 x 32 pixels"),
    ("deleted(order='best')", "got 'best'", "one of highest first, lowest first, random", "Try 'highest"),
    ("deleted(fill='white')", "got 'white'", "one of mean, black, shuffled", "Try 'mean'"),
    ("deleted(steps=65)", "got 65", "a whole number from 1 to 64", "one for each patch"),
    ("deleted(scores=torch.zeros(4, 65))", "of shape (4, 65)", "as columns", "leave a class token out"),
    ("deleted(scores=torch.zeros(4, 10, 64))", "got (4, 10, 64)", "(B, patches)", "scores[:, label]"),
    ("deleted(scores=MAPS[:, 0] * torch.nan)", "got nan", "must be finite", "no order"),
    ("deleted(scores=torch.zeros(4, 9))", "got 3 x 3 patches", "must divide", "32 x 32 pixels"),
    ("deleted(labels=LABELS[:1])", "got (1,)", "must be (4,)", "one for each image"),
    ("deleted(labels=LABELS + 7)", "got 7 to 10", "between 0 and 9", "the model's classes"),
    ("robustness.corrupt(IMAGES / 255, 'fog', 1)", "got 'fog'", "one of noise, blur, shift", "Try 'noise'"),
    ("robustness.corrupt(IMAGES / 255, 'shift', 1.5)", "got 1.5", "a whole number", "by whole pixels"),
    # exercises
    ("exercises_of('02_cnns').convolve.hint(4)", "got 4", "from 1 to 3", "Try 1"),
    ("exercises_of('2')", "got '2'", "one of 01_data, 02_cnns", "notebook must be"),
    # widgets
    ("widgets.AttentionViewer(VIT, IMAGES, layer=2)", "got 2", "from 1 to 1", "layer must be"),
    ("widgets.AttentionViewer(VIT, IMAGES, patch=(9, 1))", "got (9, 1)", "from 1 to 8", "patch must be"),
    ("widgets.AttentionViewer(VIT, IMAGES, view='rows')", "got 'rows'", "one of head, mean", "view must"),
    ("widgets.AttentionViewer(VIT, IMAGES, labels=[1])", "got 1", "each of 4 images", "labels must be"),
    ("widgets.AttentionViewer(VIT, data.Split(IMAGES, LABELS))", "got a Split", "a few images", "Pass its"),
    ("widgets.AttentionViewer(VIT, IMAGES, labels=[0, 1, 2, 10])", "got [0, 1, 2, 10]", "from 0 to 9", "labels must"),
    ("widgets.AttentionViewer(VIT, IMAGES, labels=[-1] * 4)", "got [-1, -1", "from 0 to 9", "labels must"),
    ("widgets.AttentionViewer(VIT, IMAGES, labels=[0.5] * 4)", "got [0.5, 0.5", "from 0 to 9", "labels must"),
    ("widgets.AttentionViewer(VIT, IMAGES[0])", "of shape (3, 32, 32)", "(N, 3, H, W)", "Add a batch axis"),
    ("widgets.AttentionViewer({'ViT': {}}, IMAGES)", "ViT has no epoch", "at least one", "give"),
    ("widgets.AttentionViewer({1: VIT, '1': VIT}, IMAGES)", "got [1, '1']", "two models", "the same name"),
    ("widgets.AttentionViewer({'ViT': {1: VIT, 'epoch 1': VIT}}, IMAGES)", "got [1, 'epoch 1']", "two", "of ViT"),
    ("widgets.AttentionViewer({}, IMAGES)", "empty dict", "at least one model", "needs"),
    ("widgets.TrainingPanel('simple-cnn', sketches, epochs=0)", "got 0", "between 1 and 1000", "Try 10"),
    ("widgets.TrainingPanel('simple-cnn', sketches, lr=1)", "'lr'", "learning_rate", "choose from"),
    ("widgets.TrainingPanel('deep-cnn', sketches, options={'heads': 2})", "'heads'", "depth, width", "choose"),
    ("widgets.TrainingPanel('deep-cnn', sketches, options=['depth'])", "type list", "type Mapping", "Give a dict"),
    ("widgets.TrainingPanel('deep-vit', sketches, options={'depth': 99})", "got 99", "between 1 and 24", "Try 6"),
    ("widgets.TrainingPanel('simple-cnn', None)", "got None", "type ImageData", "load_data()"),
    # experiments and runs
    ("experiments.get_experiment(['simple-cnn'])", "type list", "choose one of majority", "choose"),
    ("experiments.config_for('cnn', sketches)", "'cnn'", "choose one of majority", "choose"),
    ("experiments.config_for('simple-cnn', sketches, profile='quick')", "'quick'", "smoke", "Try"),
    ("experiments.build_model('simple-cnn', QUICK, weights={})", "simple-cnn", "random", "leave weights out"),
    ("experiments.config_for('simple-cnn', None)", "got None", "type ImageData", "load_data()"),
    ("experiments.config_for('simple-cnn', sketches, lr=1)", "'lr'", "learning_rate", "choose from"),
    ("experiments.build_model('simple-cnn', {})", "type dict", "type TrainConfig", "config_for"),
    ("experiments.build_model('deep-cnn', QUICK, options=[2])", "type list", "type Mapping", '{"depth": 2}'),
    ("experiments.build_model('deep-cnn', QUICK, options={'batch_norm': 1})", "got 1", "True or False", "Try"),
    ("experiments.build_model('simple-cnn', QUICK, options={'depth': 2})", "'depth'", "no option", "choose from"),
    ("experiments.build_model('majority', QUICK, options={'depth': 2})", "'depth'", "no option", "leave"),
    ("experiments.config_for('simple-cnn', sketches, dropout=0)", "dropout", "option of the model", "give options="),
    ("cnn.DeepCNN(depth=6)", "got 6", "between 1 and 5", "Try 3"),
    ("run_files.rename_run('x', 3)", "got 3", "type str", "Give a text"),
    ("run_files.differing_settings([1])", "got 1", "type RunRecord", "load_records()"),
    ("running.run_experiment('simple-cnn', sketches, QUICK, protocol='best')", "'best'", "report", "Try"),
    ("running.run_experiment('resnet18', sketches, QUICK, weights=3)", "got 3", "str or Path", "Give"),
    ("running.run_experiment('resnet18', sketches, QUICK, weights={})", "a state dict", "needs weights_name", "record"),
    # records and tables
    ("records.record_from_json('[]')", "got `array`", "not a run record", "Delete it or train again"),
    ("records.record_from_json('[' * 100_000)", "recursion", "not a run record", "Delete it"),
    ("records.record_from_json('{\"format_version\": NaN}')", "NaN", "not a run record", "Delete it"),
    ("records.load_records(3)", "got 3", "str or Path", "Give the path of a folder"),
    ("tables.results_table([1])", "got 1", "type RunRecord", "load_records()"),
    ("tables.mean_and_spread([])", "type list", "at least one number", "Take them from records"),
    ("tables.format_table(None)", "got None", "type DataFrame", "results_table(records)"),
    ("tables.format_table(tables.results_table([]), 'html')", "'html'", "markdown, latex", "Try"),
    ("tables.setting_table([], 'lr')", "got 'lr'", "one of epochs, batch_size", "Try 'epochs'"),
    # figures
    ("figure.training_log(3, 'x')", "got 3", "type Trace", "load_trace"),
    # diagnosis
    ("preflight(None, sketches)", "got None", "type Module", "build_model"),
    ("preflight(NARROW, one_image(sketches))", "has one only", "training images", "Load more"),
    ("preflight(NARROW, [1])", "type list", "type ImageData", "load_data()"),
    ("cases.open_case('Z')", "got 'Z'", "a whole number", "from 1 to 10"),
    ("cases.Case(1).ask('loss')", "got 'loss'", "one of class counts", "Try 'class counts'"),
    ("cases.Case(1).accuse('me')", "got 'me'", "one of first file only", "Try 'first file only'"),
    ("cases.Case(1).accuse()", "got none", "at least one suspect", "call acquit()"),
    # figures of images
    ("plots.show_images(IMAGES[0])", "shape (3, 32, 32)", "(N, 3, H, W)", "images[None]"),
    ("plots.show_images(IMAGES.float() + 9)", "got 9 to 9", "in [0, 1]", "do not normalise"),
    ("plots.show_images(IMAGES[:, :1])", "torch.uint8 of shape (4, 1, 32, 32)", "(N, 3, H, W)", "permute"),
    ("plots.show_images(IMAGES[:0])", "got none", "at least one image", "must hold"),
    ("plots.show_images(IMAGES.long())", "got torch.int64", "must be uint8, or floats in [0, 1]", "Add"),
    ("plots.show_images(IMAGES / 255 - 0.5)", "got -0.5 to", "must lie in [0, 1]", "Divide"),
    ("plots.show_images(IMAGES * torch.nan)", "got nan to nan", "must lie in [0, 1]", "Divide"),
    ("plots.map_mosaic(IMAGES, {'rollout': MAPS[:3, 0]})", "got (3, 64)", "(4, patches)", "the map rollout"),
    ("plots.measured_lines({'': {'first': [1, 2]}}, [1, 2, 4], **WORDS)", "2 values", "3 places", "give one"),
    ("plots.show_images(IMAGES, columns=0)", "got 0", "at least 1", "Leave it out"),
    ("plots.show_images(IMAGES, outlines=IMAGES[:, 0, :8])", "(4, 8, 32)", "(4, 32, 32)", "masks"),
    ("plots.confusion_heatmap(-COUNTS)", "got -1", "from 0 up", "Make one with"),
    ("plots.confusion_heatmap(COUNTS, classes=['cat'])", "got 1", "10 classes", "classes=[...]"),
    ("plots.confusion_grid([RECORD], columns=0)", "got 0", "at least 1", "Try 4"),
    ("plots.label_efficiency([])", "got none", "tested runs", "Make them with"),
    ("plots.learning_curves([])", "got none", "at least one epoch", "Train a model"),
    ("plots.accuracy_bars(['deep-cnn'])", "got 'deep-cnn'", "type RunRecord", "load_records()"),
    ("plots.attention_overlay(IMAGES[0], MAPS[None], query=0)", "got (1, 4, 64", "(heads, N, N)", "Take one"),
    ("plots.attention_overlay(IMAGES[0], MAPS, query=-1)", "got -1", "from 0 to 63", "row by row"),
    ("plots.attention_overlay(IMAGES[0], MAPS, query=64)", "got 64", "from 0 to 63", "row by row"),
    ("plots.attention_overlay(IMAGES[0], MAPS[:, 1:, 1:], query=0)", "63", "square patches", "leave"),
    ("plots.convolution_step(kernel=np.ones((9, 9)))", "(9, 9)", "no larger", "Pass one channel"),
    ("plots.convolution_step(row=4)", "got 4 and 1", "row must lie between 0 and 3", "on the image"),
    ("plots.convolution_step(row=-1)", "got -1 and 1", "row must lie between 0 and 3", "on the image"),
    ("plots.convolution_step(column=4)", "got 1 and 4", "column between 0 and 3", "on the image"),
    ("plots.image_patches(IMAGES[0], patch_size=0)", "got 0", "at least 1", "Try 4"),
    ("plots.image_patches(IMAGES[0], patch_size=5)", "got 5", "must divide 32 and 32", "Try 4"),
    ("plots.network_drawing(3)", "got 3", "type Module", "the key of an experiment"),
    ("plots.receptive_field_drawing('resnet18')", "got 'resnet18'", "stack of convolutions", "Try"),
    # small widgets and guesses
    ("layer_size.Layer(**{**LAYER, 'kernel': 9})", "9 x 9", "the padded image of 8 x 8", "Make"),
    ("layer_size.Layer(**{**LAYER, 'kind': 'dense'})", "'dense'", "convolution, max-pooling", "Try"),
    ("layer_size.Layer(**{**LAYER, 'stride': 0})", "got 0", "at least 1", "Try 1"),
    ("layer_size.layer_explorer().set(stride=99)", "99", "stops at 8", "Stay within"),
    ("positions.code_similarity(torch.ones(4, 2), 4)", "got 4", "from 0 to 3", "an earlier one"),
    ("prediction.guess_first('01', 3, 'How many?')", "got 3", "must be text", "Use quotes"),
    ("predictions.Prediction(**ASKED, guess=(2, 1))", "2 to 1", "the lower one first", "Try 10 to 20"),
    ("predictions.Prediction(**ASKED, guess=(1, float('nan')))", "got 1 to nan", "two numbers", "Try 10 to 20"),
    ("predictions.Prediction(**ASKED, guess='many')", "got 'many'", "two numbers", "Try 10 to 20"),
    ("predictions.Prediction(**ASKED, choices=('a', 'b'), guess='c')", "got 'c'", "one of a, b", "Try 'a'"),
    ("predictions.Prediction(**{**ASKED, 'notebook': 1})", "got 1", "must be text", "Use quotes"),
    ("predictions.Prediction(**ASKED, measured=float('inf'))", "got inf", "a finite number", "Use float"),
    ("predictions.Prediction(**ASKED, confidence=80)", "got 80", "from 0 to 1", "Try 0.8"),
    ("predictions.Prediction(**ASKED, measured='many')", "'many'", "a finite number", "Use float"),
]  # fmt: skip

MISSING = [
    ("traces.load_trace('none')", "'none'", "there is AttentionOverBatch-seed1", "PlainTraining-seed1"),
    ("running.load_run('runs/none.json')", "runs/none.json", "no record at", "Give a file runs/*.json"),
    ("records.load_record('tests')", "tests", "no record at", "which each training leaves"),
    ("resnet.ResNet18(weights='none.pth')", "none.pth", "no weights at", "Leave weights unset"),
    ("checkpoint.load_weights(NARROW, files.PROJECT / 'none')", "none", "no weights", "Train"),
]  # fmt: skip


WRONG_KIND = [
    ("attention.attention_maps(cnn.SimpleCNN(), IMAGES)", "SimpleCNN", "VisionTransformer", "grad_cam"),
    ("gradient_maps.grad_cam(VIT, IMAGES, LABELS)", "VisionTransformer", "SimpleCNN, DeepCNN", "class_relevance"),
    ("widgets.AttentionViewer(VIT, IMAGES, query=3)", "'query'", "it knows image, layer", "patch"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "came", "allowed", "to_do", "error"),
    [
        *(pytest.param(*row, ValueError, id=row[0]) for row in REFUSED),
        *(pytest.param(*row, TypeError, id=row[0]) for row in WRONG_KIND),
        *(pytest.param(*row, FileNotFoundError, id=row[0]) for row in MISSING),
    ],
)
def test_a_bad_call_is_answered_in_words(call, came, allowed, to_do, error, sketches):
    with pytest.raises(error) as caught:
        eval(call, {**globals(), "sketches": sketches})
    message = str(caught.value)
    assert type(caught.value) in (error, metrics.NotFiniteError), message
    for part in (came, allowed, to_do):
        assert part in message


COMMANDS = [
    ("", "COMMAND", "required", "See python -m dlvc --help"),
    ("trian", "'trian'", "choose from 'list'", "See python -m dlvc --help"),
    ("train", "got neither", "one experiment or --all", "Try simple-cnn"),
    ("train simple-cnn --all", "got both", "one experiment or --all", "Try simple-cnn"),
    ("train --all --shard 3/2", "'3/2'", "i from 1 to n", "such as 2/8"),
    ("train cnn", "'cnn'", "choose one of majority", "choose"),
    ("train simple-cnn --epochs many", "'many'", "int", "See python -m dlvc train --help"),
    ("train simple-cnn --epochs 0", "got 0", "between 1 and 1000", "Try 10"),
    ("train simple-cnn --learning-rate inf", "got inf", "a finite number", "Try 0.001"),
    ("train simple-cnn --optimizer sgd", "got 'sgd'", "one of adam, adamw", "Try 'adam'"),
    ("train simple-cnn --seed 1 --seeds 2", "--seeds 2 and --seed", "either", "Leave one out"),
    ("train simple-cnn --seeds 0", "--seeds 0", "at least 1", "try --seeds 3"),
    ("train simple-cnn --profile quick", "'quick'", "choose from 'smoke'", "--help"),
    ("train simple-cnn --data mnist", "'mnist'", "choose from 'auto'", "--help"),
    ("train resnet18 --weights none.pth", "none.pth", "no weights", "Give a .safetensors or .pth"),
    ("train simple-cnn --device tpu", "got 'tpu'", "auto, cpu, cuda", "Try 'auto'"),
    ("table --format html", "'html'", "choose from 'markdown'", "--help"),
    ("table --folder nowhere", "nowhere/", "no record", "python -m dlvc train simple-cnn"),
    ("data --fetchh", "--fetchh", "unrecognized", "--help"),
    ("notebooks 99", "99", "no notebook", "Name one of: 01_data"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "came", "allowed", "to_do"), COMMANDS, ids=[row[0] or "nothing" for row in COMMANDS]
)
def test_a_bad_command_ends_with_status_2_and_one_sentence(line, came, allowed, to_do, capsys):
    try:
        status = command_line.main(line.split())
    except SystemExit as end:  # how argparse ends the program
        status = end.code
    assert status == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.startswith("dlvc: ")
    assert len(said.splitlines()) == 1
    for part in (came, allowed, to_do):
        assert part in said


def test_even_a_fault_of_dlvc_is_no_traceback_unless_asked_for(capsys, monkeypatch):
    monkeypatch.setitem(command_line.COMMANDS, "list", (lambda options: {}["key"], "", {}))
    assert command_line.main(["list"]) == 1
    assert capsys.readouterr().err == (
        "dlvc: this is a fault of dlvc itself (KeyError: 'key'). DLVC_DEBUG=1 shows where it is.\n"
    )
    monkeypatch.setenv("DLVC_DEBUG", "1")
    with pytest.raises(KeyError):
        command_line.main(["list"])
