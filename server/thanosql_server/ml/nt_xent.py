"""NT-Xent, the loss of SimCLR: each view must find its twin among all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

if TYPE_CHECKING:
    from torch import Tensor


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the normalised temperature-scaled cross entropy of two sets of views.

    Equation 1 of Chen et al. 2020 (arXiv:2002.05709), averaged over the 2n views: the
    positive of view i is the other view of the same picture, the negatives are the
    2n - 2 views of the other pictures.

    Args:
        first: projections (n, d) of one view of each picture.
        second: projections (n, d) of the other view, in the same order.
        temperature: divides the cosine similarities; smaller looks at harder negatives.
    """
    n = first.shape[0]
    views = F.normalize(torch.cat([first, second]), dim=1)
    similarities = views @ views.T / temperature
    similarities.fill_diagonal_(-torch.inf)
    positives = torch.arange(2 * n, device=views.device).roll(n)
    return F.cross_entropy(similarities, positives)
