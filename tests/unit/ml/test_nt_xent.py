from __future__ import annotations

import math

import pytest
import torch

from thanosql_server.ml.nt_xent import nt_xent


def slow_nt_xent(first, second, temperature):
    """Equation 1 of arXiv:2002.05709, term by term."""
    views = [*first.tolist(), *second.tolist()]
    n = len(first)

    def similarity(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.hypot(*a) / math.hypot(*b)

    total = 0.0
    for i in range(2 * n):
        twin = (i + n) % (2 * n)
        terms = {
            k: math.exp(similarity(views[i], views[k]) / temperature)
            for k in range(2 * n)
            if k != i
        }
        total -= math.log(terms[twin] / sum(terms.values()))
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
@pytest.mark.parametrize("n", [2, 5])
def test_equals_the_formula_written_as_loops(n, temperature):
    rng = torch.Generator().manual_seed(n)
    first = torch.randn(n, 8, generator=rng, dtype=torch.float64)
    second = torch.randn(n, 8, generator=rng, dtype=torch.float64)
    expected = slow_nt_xent(first, second, temperature)
    assert nt_xent(first, second, temperature).item() == pytest.approx(expected)


def test_length_of_a_projection_does_not_matter():
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 8, generator=rng)
    longer = nt_xent(first * 3, second * 0.5, 0.2)
    assert longer.item() == pytest.approx(nt_xent(first, second, 0.2).item(), rel=1e-5)


def test_twins_that_agree_cost_less_than_strangers():
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 6, 16, generator=rng)
    assert nt_xent(first, first, 0.2) < nt_xent(first, second, 0.2)


def test_unlearned_loss_is_about_the_log_of_the_others():
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 64, 512, generator=rng)
    assert nt_xent(first, second, 1.0).item() == pytest.approx(math.log(127), abs=0.05)


def test_gradient_pulls_twins_together():
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 4, 8, generator=rng)
    first.requires_grad_(True)
    before = nt_xent(first, second, 0.2)
    before.backward()
    with torch.no_grad():
        after = nt_xent(first - 0.1 * first.grad, second, 0.2)
    assert after < before
