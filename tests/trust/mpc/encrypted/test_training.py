"""What three parties agree to where a model is trained on their shares, and what all of them know beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.trust.mpc.encrypted.columns import SEED
from tests.trust.mpc.test_split import SPLIT, plan

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.encrypted.coins import batches, noise, seed_of
from sfumato.trust.mpc.encrypted.training import TOGETHER, EncryptedTraining

NAMES = [member.name for member in plan().roster.members]
TRAINING = EncryptedTraining(NAMES[1], 2 * TOGETHER, "a" * 64)


def encrypted(training: EncryptedTraining = TRAINING, **other: object) -> FederationPlan:
    facts = {"guarantee": sf.Guarantee(float("inf")), "questions": (), "encrypted": training, **other}
    return replace(plan(), **facts)


def test_a_plan_with_a_training_is_read_as_it_was_written() -> None:
    made = encrypted()
    assert FederationPlan.from_dict(made.to_dict()) == made
    assert made.to_dict()["guarantee"]["epsilon"] is None, "JSON has no infinity"
    assert made.digest != encrypted(replace(TRAINING, receiver=NAMES[0])).digest


def test_a_plan_says_in_so_many_words_who_obtains_what() -> None:
    said = "\n".join(encrypted().words())
    receiver = NAMES[1]
    for text in (
        f"WITHOUT DIFFERENTIAL PRIVACY: {receiver}, and nobody else, obtains the parameters of the model",
        "They may reveal rows",
        "There is no certificate",
        f"but what {receiver} obtains. ANY TWO PARTIES TOGETHER",
        f"SHA-256 {'a' * 64}",
    ):
        assert text in said
    assert "epsilon" not in said
    assert "opened with noise" not in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"receiver": ""}, "is opened to one of the parties"),
        ({"receiver": "elsewhere"}, "is opened to one of the parties"),
        ({"steps": 0}, "25 to 10,000 steps"),
        ({"steps": 26}, "in multiples of 25"),
        ({"steps": 10_025}, "25 to 10,000 steps"),
        ({"steps": 25.0}, "25 to 10,000 steps"),
        ({"program": "A" * 64}, "by their SHA-256"),
    ],
    ids=["no receiver", "nobody", "no steps", "odd steps", "too many", "a fraction", "no hash"],
)
def test_a_training_that_cannot_be_is_refused(wrong, said) -> None:
    with pytest.raises(FederationError, match=said):
        encrypted(replace(TRAINING, **wrong))


@pytest.mark.parametrize(
    "other",
    [{"guarantee": sf.Guarantee(1, 1e-6)}, {"questions": ("count",)}, {"split": None}],
    ids=["a promise", "sums", "no split"],
)
def test_a_training_keeps_no_promise_and_opens_no_sum(other) -> None:
    with pytest.raises(FederationError, match="makes no promise"):
        encrypted(**other)
    assert SPLIT.number == 10


def test_a_training_is_of_persons_of_a_public_list() -> None:
    with pytest.raises(FederationError, match="persons of a public list"):
        encrypted(split=replace(SPLIT, persons=None))


def test_what_is_public_is_the_same_everywhere_and_new_in_each_run() -> None:
    who = batches(SEED, 0, 25, 64, 1000)
    assert (who.dtype, who.shape) == (np.int32, (25, 64))
    assert (who[0, :4].tolist(), who.min() >= 0, who.max() < 1000) == ([832, 884, 754, 108], True, True)
    drawn = noise(SEED, 0, (25, 64, 16))
    assert drawn[0, 0, :3].tolist() == [-1.353515625, -0.9482421875, 1.5361328125]
    assert (drawn * 1024 == np.rint(drawn * 1024)).all()
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.03
    for other in (batches(SEED, 1, 25, 64, 1000), batches(seed_of(b"x", [b"y"]), 0, 25, 64, 1000)):
        assert not np.array_equal(who, other)
    assert seed_of(b"plan", [b"one", b"two"]) != seed_of(b"plan", [b"two", b"one"])
