"""The three tables that metrics compare."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.population import people
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tables are learnt faster without threads that wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def real() -> np.ndarray:
    return people(2000, 1)


@pytest.fixture(scope="session")
def holdout() -> np.ndarray:
    return people(1000, 2)
