"""Enough drawn images for epochs whose length can be timed."""

import pytest

from dlvc.data import ImageData, load_data


@pytest.fixture(scope="session")
def many_sketches() -> ImageData:
    """Sketch-10 with 2,000 training images."""
    return load_data("sketch10", sizes=(2_000, 20, 20), quiet=True)
