"""A step of DP-SGD on shares: what it is given, what it may do, and that its parts add up to the clipped sum."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import sfumato.models  # noqa: F401 - installs what is made of records
from sfumato.encoding.domain import Domain
from sfumato.errors import EngineError
from sfumato.models.diffusion.shares import ShareDenoiser
from sfumato.models.gan.shares import ShareDiscriminator
from sfumato.models.vae.shares import ShareAutoencoder
from sfumato.privacy.gradients import clipped_sum
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.gradient_step import GradientProgram
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions
from sfumato.trust.mpc.engine.run_order import Additive, OpenTo, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.secure_sum.masks import centred, in_ring
from sfumato.trust.secure_sum.noise import VectorNoise

DOMAIN = Domain.of(["a", "b", "c", "d"], [4, 3, 5, 6])
OWNERS, ROWS = (0, 1, 2, 0), 16
RECIPES = {
    "vae of tables for shares": ShareAutoencoder,
    "critic of tables for shares": ShareDiscriminator,
    "masked diffusion of tables for shares": ShareDenoiser,
}


def made(name: str) -> tuple[GradientProgram, Any]:
    """The step of a recipe, and a network for it."""
    objective = OBJECTIVES.make(name, DOMAIN, {"weight": np.array(0.5)} if name.startswith("vae") else {})
    network = jax.jit(partial(RECIPES[name], sum(DOMAIN.sizes), len(DOMAIN)))(jax.random.key(0))
    return GradientProgram(objective, DOMAIN, OWNERS, ROWS, 1.0), network


@pytest.mark.parametrize("name", ["masked diffusion of tables for shares"])  # the others run with the engine
def test_it_is_the_sum_that_a_curator_clips_of_those_whom_all_parties_know(name: str) -> None:
    step, network = made(name)
    rng, key = np.random.default_rng(0), jax.random.PRNGKey(1)
    codes = np.stack([rng.integers(0, size, ROWS) for size in DOMAIN.sizes], axis=1)
    present = rng.random((3, ROWS)) < 0.8
    given = [step.own(p, list(codes[:, np.array(OWNERS) == p].T), present[p], network, key) for p in range(3)]
    assert not given[0].hot[~present[0]].any()
    assert not given[0].first[~present[0]].any()
    arguments = [*step.public(network, key), *(a for one in given for a in one)]
    (found,) = run_within(step.function, *arguments)
    records = step.objective.prepare(codes, key)
    wanted = clipped_sum(step.objective.loss, network, records, present.all(axis=0), 1.0)
    np.testing.assert_allclose(found, step.objective.flat(wanted), atol=0.02)
    assert step.program.public == frozenset(range(len(step.public(network, key))))
    assert 1 < step.sensitivity / 2**18 < 1.01


def test_a_recipe_that_looks_into_records_is_refused() -> None:
    step, _ = made("critic of tables for shares")
    usual = replace(step, objective=OBJECTIVES.make("critic of tables", DOMAIN, {}))
    with pytest.raises(EngineError, match="take the form of its network that is made for shares"):
        _ = usual.program


def test_parameters_too_large_for_shares_are_found_before_a_row_is_shared() -> None:
    step, network = made("vae of tables for shares")
    huge = jax.tree.map(lambda x: x * 1e3, network)
    with pytest.raises(EngineError, match="arithmetic on shares is wrong"):
        run_within(step.function, *step.simulated(huge, np.random.default_rng(0)))


@pytest.mark.engine
def test_parts_add_up_to_the_sum_also_with_noise_in_a_ring_of_32_bits(engine: Path, tmp_path: Path) -> None:
    """And the sum is that of plain JAX, for each of the three recipes."""
    steps = [made(name) for name in RECIPES]
    rng = np.random.default_rng(2)
    arrays = [step.simulated(network, rng) for step, network in steps]
    noise = [
        [VectorNoise(2.0**18, 2, 2.0**18).add(np.zeros(s.objective.numbers, int), SYSTEM) for s, _ in steps]
        for _ in "abc"
    ]

    def party(session: EngineSession) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        found = []
        for (step, _), given, own in zip(steps, arrays, noise[session.rank], strict=True):
            known = len(step.program.public)
            arguments: list[Any] = [PublicInput(a) for a in given[:known]]
            for place, array in enumerate(given[known:]):
                arguments.append(OwnSecret(array) if place // 3 == session.rank else PeerSecret(place // 3))
            (part,) = session.run(step.program, arguments, [Additive()])
            assert part is not None
            (twin,) = session.run(step.program, arguments, [OpenTo(0)])
            found.append((part, in_ring(part.view(np.int64) + own, 32), twin))
        return found

    with local_sessions(engine, tmp_path / "parties") as sessions:
        shares = at_once(sessions, party)
    for place, ((step, _), given) in enumerate(zip(steps, arrays, strict=True)):
        whole = sum(one[place][0] for one in shares).view(np.int64)
        (expected,) = run_within(step.function, *given)
        twin = shares[0][place][2]
        assert twin is not None
        assert np.abs(whole / 2**18 - expected).max() < 1e-3
        assert np.abs(whole / 2**18 - twin).max() < 1e-3
        opened = centred(np.add.reduce([one[place][1] for one in shares], dtype=np.uint32))
        np.testing.assert_array_equal(opened, whole + sum(noise[p][place] for p in range(3)))
