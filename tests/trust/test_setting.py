"""What a question looks like: public shapes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfumato.encoding.domain import Domain
from sfumato.trust.setting import Measurement, Query, Setting


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_the_shape_of_a_plain_query_is_that_of_its_columns(sizes: list[int]) -> None:
    domain = Domain.of([str(i) for i in range(len(sizes))], sizes)
    query = Query(tuple(range(len(sizes))))
    assert query.shape(domain) == tuple(sizes)
    assert query.cells(domain) == domain.cells(query.clique) == np.prod(sizes)


def test_groups_set_the_shape() -> None:
    domain = Domain.of(["a", "b"], [4, 6])
    query = Query((0, 1), (np.array([0, 2, 1, 0]), np.zeros(6, np.int64)))
    assert query.shape(domain) == (3, 1)
    assert query.cells(domain) == 3
    assert isinstance(query.shape(domain)[0], int)


def test_what_lacks_a_question_is_no_setting() -> None:
    assert not isinstance(Measurement(Query((0,)), np.zeros(2), 1.0), Setting)
