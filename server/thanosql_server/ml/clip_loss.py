"""The contrast between pictures and captions, and the views of pictures it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHIFT, BRIGHTNESS = 1 / 16, 0.15
"""Pictures are moved and made lighter or darker by up to this share; never mirrored,
as captions speak of left and right."""


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Return the symmetric cross-entropy over a batch's similarities.

    Args:
        images: features (n, dim), not normalised.
        texts: features (n, dim) of their captions.
        scale: factor of the cosines.
        same: (n, n), true where two captions are the same text. All pictures of one
            caption are right answers to it; they share the probability.
    """
    logits = scale * F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T
    wanted = same.float() / same.sum(1, keepdim=True)
    losses = F.cross_entropy(logits, wanted), F.cross_entropy(logits.T, wanted)
    loss: Tensor = (losses[0] + losses[1]) / 2
    return loss


def same_text(tokens: Tensor) -> Tensor:
    """Return (n, n): which rows of tokens are equal."""
    number = torch.unique(tokens, dim=0, return_inverse=True)[1]
    same: Tensor = number[:, None] == number[None]
    return same


def jitter(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Return the pictures (n, 3, s, s) a little moved, lighter or darker."""
    count, _, height, width = pictures.shape
    most = max(1, round(height * SHIFT))

    def places(side: int) -> Tensor:
        moves = torch.randint(
            -most, most + 1, (count, 1), generator=rng, device=pictures.device
        )
        return (torch.arange(side, device=pictures.device) + moves).clamp(0, side - 1)

    rows, columns = places(height), places(width)
    each = torch.arange(count, device=pictures.device)[:, None, None]
    moved = pictures.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None]]
    light = torch.rand((count, 1, 1, 1), generator=rng, device=pictures.device)
    factor = 1 + BRIGHTNESS * (2 * light - 1)
    views: Tensor = (moved.permute(0, 3, 1, 2) * factor).clamp(0, 1)
    return views


def normalised(pictures: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return pictures (n, 3, s, s) of 0..1 as the image tower's input."""
    shift, scale = (
        torch.tensor(one, device=pictures.device)[:, None, None] for one in (mean, std)
    )
    normal = (pictures - shift) / scale
    return normal.contiguous(memory_format=torch.channels_last)
