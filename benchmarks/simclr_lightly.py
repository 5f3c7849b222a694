"""lightly's SimCLR (PyPI `lightly`) as its own published example trains it.

The recipe is that of lightly's `examples/pytorch/simclr.py`: torchvision's ResNet-18,
`SimCLRTransform(input_size=32, gaussian_blur=0)`, batches of 256, SGD with a learning
rate of 0.06, `NTXentLoss()` with its default temperature. Ours are the data set (the
same files) and the clock that ends the training.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812


class Views(torch.utils.data.Dataset):
    """Two views of each picture, made by lightly's transform."""

    def __init__(self, pictures, transform):
        self.images = [image.convert("RGB") for image in pictures.images()]
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index])


def train(pictures, seconds, workers=2):
    """Train for that many seconds; returns the backbone, epochs done and images/s."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchvision
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead
        from lightly.transforms import SimCLRTransform

    torch.manual_seed(0)
    resnet = torchvision.models.resnet18()
    backbone = torch.nn.Sequential(*list(resnet.children())[:-1])
    head = SimCLRProjectionHead(512, 512, 128)
    criterion = NTXentLoss()
    parameters = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.06)
    transform = SimCLRTransform(input_size=32, gaussian_blur=0.0)
    loader = torch.utils.data.DataLoader(
        Views(pictures, transform),
        batch_size=min(256, len(pictures)),
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for first, second in loader:
            first, second = (head(backbone(v).flatten(1)) for v in (first, second))
            loss = criterion(first, second)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
            if time.perf_counter() - started > seconds:
                break
    spent = time.perf_counter() - started
    return backbone.eval(), steps / len(loader), steps * loader.batch_size / spent


def embed(backbone, pictures):
    """Unit vectors (n, 512) under the transform of lightly's evaluation examples."""
    rows = [
        np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR))
        for image in pictures.images()
    ]
    x = torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.inference_mode():
        parts = [backbone(part).flatten(1) for part in ((x - mean) / std).split(128)]
    return F.normalize(torch.cat(parts), dim=1).numpy()
