"""A model trained wholly on secret shares: all that follows from its plan, at every party alike, and the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.encoding.codec import Codec
from sfumato.errors import FederationError
from sfumato.models.choose import Choice
from sfumato.models.networks.coarse import CoarseCodes, FittedCoarse
from sfumato.models.networks.layout import Layout
from sfumato.models.settings import SHARES, settings_of
from sfumato.models.vae.shares import DEVIATION, LATENT, ShareAutoencoder
from sfumato.models.vae.vae import FittedVae, Vae
from sfumato.privacy.guarantee import Guarantee
from sfumato.progress import Progress
from sfumato.release.certificate import NoCertificate
from sfumato.release.release import Release
from sfumato.schema import Schema
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted.program import SharedColumns, TrainingPrograms
from sfumato.trust.mpc.encrypted.training import EncryptedTraining
from sfumato.trust.mpc.encrypted.trial import try_out
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.secure_sum.roster import Roster

MODEL = "vae"
"""What is trained."""
_TURNS, _CHAINS = 10, 4096
"""Of drawing and encoding, and rows at a time: more turns moved no distance of tables."""
_UNKNOWN = "0" * 64
"""In the place of a hash that is still to be computed."""
_WHY = "trained on secret shares of three parties, without differential privacy"
REASON = (
    "the model was trained on secret shares of three parties WITHOUT differential privacy, for {receiver} alone: nobody"
    " saw the rows, but the parameters may reveal them"
)
"""What stands in the place of a certificate."""


@dataclass(frozen=True)
class EncryptedFit:
    """What a plan of a training on shares comes to.

    Attributes:
        plan: with its training.
    """

    plan: FederationPlan

    @classmethod
    def of(cls, schema: Schema, roster: Roster, split: VerticalSplit, receiver: str, steps: int) -> EncryptedFit:
        """The plan for a training, with the hash of its programs; where its parties are reached is not in it yet.

        Raises:
            FederationError: nothing that three parties can train.
            EngineError: the programs do what may not be done on shares.
        """
        unit = schema.unit.column if schema.unit.kind == "id" else "row"
        plan = FederationPlan(
            schema,
            MODEL,
            Guarantee(math.inf, unit=unit),
            roster,
            (),
            split=split,
            encrypted=EncryptedTraining(receiver, steps, _UNKNOWN),
        )
        training = replace(cls(plan).training, program=cls(plan).programs.digest)
        return cls(replace(plan, encrypted=training))

    @property
    def training(self) -> EncryptedTraining:
        """What was agreed to."""
        assert self.plan.encrypted is not None, "the plan is of a training on shares"
        return self.plan.encrypted

    @property
    def parties(self) -> Sequence[str]:
        """Their names, by place."""
        return [member.name for member in self.plan.roster.members]

    @cached_property
    def codec(self) -> Codec:
        """Values to codes and back."""
        return first_codec(self.plan.schema)

    @cached_property
    def codes(self) -> CoarseCodes:
        """Codes to those that the network sees."""
        return CoarseCodes(self.codec.domain)

    @cached_property
    def columns(self) -> SharedColumns:
        """What is trained on."""
        split = self.plan.split
        assert split is not None
        return SharedColumns(self.codes.domain, split.owners(self.codec), split.number)

    @cached_property
    def programs(self) -> TrainingPrograms:
        """What the engine runs."""
        return TrainingPrograms.of(self.columns)

    @cached_property
    def start(self) -> np.ndarray:
        """First parameters (numbers,), public."""
        domain = self.codes.domain
        make = partial(ShareAutoencoder, Layout(domain).width, len(domain))
        return np.asarray(self.columns.objective.flat(jax.jit(make)(jax.random.key(0))), np.float32)

    def try_out(self, progress: Progress) -> None:
        """EngineError where the training leaves the numbers that are right on shares, on simulated rows."""
        try_out(self.columns, self.start, self.plan.digest, self.training.runs, progress)

    def seen(self, records: PartyRecords) -> Codes:
        """A party's own codes as the network sees them; private."""
        maps = (self.codes.maps[position] for position in records.positions)
        seen = tuple(m[column] for m, column in zip(maps, records.codes.columns, strict=True))
        return Codes(seen, records.codes.present)

    def release(self, parameters: np.ndarray) -> Release:
        """The model of the last parameters, for the receiver; without a certificate.

        *Formal guarantee.* None: the parameters are a function of the rows without noise.
        """
        domain = self.codes.domain
        network = self.columns.objective.tree(jnp.asarray(parameters, jnp.float32))
        prior = np.stack([np.zeros((1, LATENT)), np.ones((1, LATENT))], 1).astype(np.float32)
        inner = _settled(FittedVae(Layout(domain), float(self.columns.persons), network, prior))
        fitted = FittedCoarse(self.codes, inner)
        recipe = Vae(gradients=1.0, steps=self.training.steps, form=SHARES)
        choice = Choice(MODEL, _WHY, settings_of(recipe))
        missing = NoCertificate(reason=REASON.format(receiver=self.training.receiver)).to_dict()
        return Release(self.plan.schema, self.codec, fitted, choice, self.plan.guarantee, missing)


def _settled(fitted: FittedVae) -> FittedVae:
    """The same network with the prior that its own encoder and decoder settle on, from a standard normal one.

    Latent points of rows seldom spread as the loss would have them, and nobody may look at those of the rows here. Rows
    drawn and encoded in turn come to be distributed as the network has it (Rezende, Mohamed and Wierstra 2014).
    """
    rng = np.random.default_rng(0)
    for _ in range(_TURNS):
        means = fitted.encode(fitted.sample(_CHAINS, rng))
        fitted = replace(fitted, prior=np.stack([means, np.full_like(means, DEVIATION)], 1).astype(np.float32))
    return fitted


def check_program(made: EncryptedFit, given: FederationPlan) -> None:
    """FederationError where a plan names another program than is made of its own facts here."""
    if given.encrypted is None or made.training.program != given.encrypted.program:
        raise FederationError(
            "the plan names another program than this party makes of it (SHA-256"
            f" {made.training.program}): it was changed, or is of another version of sfumato or of JAX; take no part"
        )
