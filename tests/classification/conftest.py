"""What tests of whole nights share."""

import pytest
import tinymodel


@pytest.fixture
def model(tmp_path):
    """A features model small enough to be written for each test."""
    return tinymodel.save(tinymodel.features_proto(), tmp_path / "tiny.onnx")
