from __future__ import annotations

import pytest
import torch

from thanosql_server.ml import augment


def pictures(n=6, channels=3, size=28):
    return torch.rand(
        n, channels, size, size, generator=torch.Generator().manual_seed(1)
    )


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", augment.BY_NAME)
@pytest.mark.parametrize("channels", [1, 3])
def test_views_have_the_shape_and_range_of_pictures(name, channels):
    x = pictures(channels=channels)
    views = augment.BY_NAME[name](x, rng())
    assert views.shape == x.shape
    assert views.min() >= 0
    assert views.max() <= 1


@pytest.mark.parametrize("name", ["digits", "grey", "photo"])
def test_views_depend_on_the_generator_alone(name):
    x = pictures()
    recipe = augment.BY_NAME[name]
    torch.manual_seed(1)
    first = recipe(x, rng(3))
    torch.manual_seed(2)
    assert torch.equal(first, recipe(x, rng(3)))
    assert not torch.equal(first, recipe(x, rng(4)))


@pytest.mark.parametrize("name", ["digits", "grey", "photo"])
def test_each_picture_draws_its_own_numbers(name):
    x = pictures(1).expand(4, -1, -1, -1).contiguous()
    views = augment.BY_NAME[name](x, rng())
    assert not torch.equal(views[0], views[1])


def test_without_strength_a_warp_changes_nothing():
    x = pictures()
    still = augment.Warp(degrees=0, shift=0, scale=1, shear=0, aspect=1, elastic=0)
    torch.testing.assert_close(augment.warp(x, rng(), still), x, atol=1e-5, rtol=0)


def test_a_crop_of_everything_is_the_picture():
    x = pictures()
    crop = augment.crop(x, rng(), smallest=1.0, mirror=False, aspect=1)
    torch.testing.assert_close(crop, x, atol=1e-5, rtol=0)


def test_digits_are_never_mirrored_nor_upside_down():
    x = torch.zeros(64, 1, 28, 28)
    x[:, :, 4:14, 4:14] = 1  # everything is in the upper left quarter
    views = augment.digits(x, rng())
    assert (views[:, :, :14, :14].sum((1, 2, 3)) > views[:, :, 14:, 14:].sum()).any()
    upper_left = views[:, :, :14, :14].sum((1, 2, 3))
    for other in (views[:, :, :14, 14:], views[:, :, 14:, :14], views[:, :, 14:, 14:]):
        assert (upper_left > other.sum((1, 2, 3))).all()


def test_photographs_are_mirrored_about_half_of_the_time():
    x = torch.zeros(200, 3, 16, 16)
    x[:, :, :, :8] = 1
    whole = augment.crop(x, rng(), smallest=1.0, mirror=True)
    mirrored = (whole[:, 0, 8, 0] < 0.5).float().mean()
    assert 0.35 < mirrored < 0.65


def test_dark_writing_on_white_stays_on_white():
    x = torch.ones(32, 1, 28, 28)
    x[:, :, 8:20, 12:16] = 0
    bent = augment.warp(x, rng(), augment.WARP)
    assert bent[:, :, 0, 0].min() > 0.9


def test_stroke_width_goes_both_ways():
    x = torch.zeros(64, 1, 28, 28)
    x[:, :, 12:15, 5:22] = 1
    ink = augment.stroke_width(x, rng(), share=1.0).sum((1, 2, 3))
    assert ink.min() < x[0].sum() < ink.max()


def test_blur_keeps_the_mean_and_removes_detail():
    x = pictures(16)
    soft = augment.blur(x, rng(), share=1.0)
    torch.testing.assert_close(soft.mean(), x.mean(), atol=0.02, rtol=0)
    assert (soft.std((1, 2, 3)) < x.std((1, 2, 3))).all()


def test_colours_are_tinted_but_not_lost():
    x = torch.zeros(100, 3, 4, 4)
    x[:, 0] = 0.8  # red
    tinted = augment.saturation_tint(x, rng())
    assert (tinted[:, 0] > tinted[:, 1]).all()
    assert (tinted[:, 0] > tinted[:, 2]).all()
    assert tinted[:, 0].std() > 0.02
