"""A training program with two silent bugs, planted on purpose: notebook 06 lets a learner find them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlvc.data import ImageData, Split


class Program:
    """A small CNN for drawings, and its training."""

    def __init__(self, data: ImageData, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.data = data
        self.model = self.build()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.003)

    def build(self) -> nn.Module:
        first = [nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
        block = [nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*first, *3 * block, nn.Flatten(), nn.Linear(128, 10))

    def prepare(self, images: Tensor) -> Tensor:
        return images.float() / 255 - 0.5

    def mirror(self, images: Tensor) -> Tensor:
        """Each image as it is, or with left and right exchanged."""
        mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
        return torch.where(mirrored, images.flip(-2), images)

    def train_epoch(self) -> float:
        self.model.train()
        train, losses = self.data.train, []
        for index in torch.randperm(len(train)).split(32):
            logits = self.model(self.prepare(self.mirror(train.images[index])))
            loss = cross_entropy(logits, train.labels[index])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self, split: Split) -> float:
        self.model.eval()
        hits = 0
        for images, labels in zip(split.images.split(500), split.labels.split(500), strict=True):
            hits += (self.model(self.prepare(images)).argmax(dim=1) == labels).sum().item()
        return hits / len(split)

    def run(self, epochs: int) -> None:
        for epoch in range(1, epochs + 1):
            loss, accuracy = self.train_epoch(), self.accuracy(self.data.validation)
            print(f"epoch {epoch}: training loss {loss:.2f}, validation accuracy {accuracy:.2f}")
