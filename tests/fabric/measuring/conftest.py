"""The shipped measurements, compared once."""

import pytest

from fabric.measuring.comparing import compare_measured


@pytest.fixture(scope="session")
def shipped_comparison():
    return compare_measured()
