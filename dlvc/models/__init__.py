"""The four families of models. Each takes float images (B, 3, H, W) in [0, 1] and normalises them itself.

Import a family from its own file (`from dlvc.models.vit import VisionTransformer`): resnet.py needs torchvision, the
others only torch.
"""
