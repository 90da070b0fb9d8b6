import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evo_snn.augmentation import augmented, check_augment
from genomes.errors import RequestError


def variants(image):
    """Every mirrored and moved form of an image (C, H, W), moved by slices, zeros beyond."""
    _, height, width = image.shape
    found = set()
    for flipped in (image, image[:, :, ::-1]):
        for down in range(-(height // 8), height // 8 + 1):
            for right in range(-(width // 8), width // 8 + 1):
                moved = np.zeros_like(image)
                here = (
                    slice(max(0, down), height + min(0, down)),
                    slice(max(0, right), width + min(0, right)),
                )
                there = (
                    slice(max(0, -down), height + min(0, -down)),
                    slice(max(0, -right), width + min(0, -right)),
                )
                moved[:, *here] = flipped[:, *there]
                found.add(moved.tobytes())
    return found


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(4, 17), st.integers(4, 17), st.integers(0, 99))
def test_each_image_is_mirrored_and_moved_and_nothing_else(channels, height, width, seed):
    x = torch.rand(6, channels, height, width, generator=torch.Generator().manual_seed(seed))
    found = augmented(x, "flip_crop", torch.Generator().manual_seed(seed))
    assert found.shape == x.shape
    for before, after in zip(x.numpy(), found.numpy(), strict=True):
        assert np.ascontiguousarray(after).tobytes() in variants(before)


def test_all_forms_occur_and_follow_from_the_seed():
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).repeat(400, 1, 1, 1)
    first, again, other = (
        augmented(x, "flip_crop", torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    forms = {one.contiguous().numpy().tobytes() for one in first}
    assert forms == variants(x[0].numpy())
    assert len(forms) == 2 * 3 * 3


def test_frames_of_a_sample_are_changed_alike():
    frame = torch.rand(5, 1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    found = augmented(frame.repeat(1, 3, 1, 1, 1), "flip_crop", torch.Generator().manual_seed(0))
    assert torch.equal(found[:, 0], found[:, 2])
    assert not torch.equal(found[:, 0], frame[:, 0])


def test_none_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    x = torch.rand(2, 1, 4, 4)
    assert augmented(x, "none", generator) is x
    assert torch.equal(generator.get_state(), state)


def test_what_is_no_image_is_refused():
    check_augment("flip_crop", (3, 32, 32))
    check_augment("none", (1, 256))
    for shape in ((1, 256), (1, 200, 5, 5)):
        with pytest.raises(RequestError, match=r"training.augment: got 'flip_crop'.*no images"):
            check_augment("flip_crop", shape)
