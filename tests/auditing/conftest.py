"""Small tables are learnt faster without threads that wait for each other."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    with threadpool_limits(1):
        yield
