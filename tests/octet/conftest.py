"""What tests of model files share: a place to write them."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one model after the other is written."""
    return tmp_path_factory.mktemp("models") / "model.safetensors"
