"""Baselines and three families of models. Each takes float images (B, 3, H, W) in [0, 1] and normalises them itself."""

from dlvc.models.baselines import MajorityClassifier, NearestNeighbour, SoftmaxRegression
from dlvc.models.cnn import DeepCNN, SimpleCNN, convolution_block
from dlvc.models.cost import describe_model
from dlvc.models.normalize import Normalize
from dlvc.models.options import changed_options, describe_options, option_fields
from dlvc.models.resnet import ResNet18, read_weights
from dlvc.models.torchvision_check import import_torchvision
from dlvc.models.vit import PatchEmbedding, SelfAttention, VisionTransformer, sinusoidal_positions
from dlvc.models.weights import RESNET18_WEIGHTS, describe_weights, resnet18_weights
