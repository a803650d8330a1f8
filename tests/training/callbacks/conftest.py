"""The data of trainings with callbacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_training import draw_data


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Return a small data set, which no test changes."""
    return draw_data(tmp_path_factory.mktemp("data"))
