"""Which generators are tried, what they claim, and how to make the environment of each."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sfumato.privacy.guarantee import Guarantee

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = Path(os.environ.get("SFUMATO_OTHERS", HERE.parent.parent / ".others"))
"""Where the environments lie, one folder each."""


@dataclass(frozen=True)
class Peer:
    """A generator.

    Attributes:
        script: file in ``generators/``: reads rows.csv, writes made.csv with so many rows, and what it saves beside it.
        package: name and version, as pip takes it; empty for this project.
        claimed: the guarantee it was asked for; None where it claims none.
        also: further packages its environment needs.
    """

    script: str
    package: str
    claimed: Guarantee | None
    also: tuple[str, ...] = ()

    @property
    def environment(self) -> Path:
        """Its folder."""
        return ENVIRONMENTS / self.package.partition("==")[0].lower()

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.environment / "bin" / "python" if self.package else Path(sys.executable)

    @property
    def recipe(self) -> str:
        """The command that makes its environment."""
        packages = " ".join((*self.also, self.package))
        return f"python3 -m venv {self.environment} && {self.environment}/bin/pip install {packages}"


_TORCH = "torch==2.13.0"
_ONE = Guarantee(1.0, 1e-5)
PEERS = {
    "DataSynthesizer 0.1.13, PrivBayes": Peer(
        "datasynthesizer_privbayes.py", "DataSynthesizer==0.1.13", Guarantee(1.0, 1e-12)
    ),
    "dpmm 0.1.9, MST": Peer("dpmm_mst.py", "dpmm==0.1.9", _ONE),
    "SmartNoise 1.0.8, MST": Peer("smartnoise_mst.py", "smartnoise-synth==1.0.8", _ONE, (_TORCH, "packaging")),
    "SmartNoise 1.0.8, PATE-CTGAN": Peer(
        "smartnoise_patectgan.py", "smartnoise-synth==1.0.8", _ONE, (_TORCH, "packaging")
    ),
    "SDV 2.0.0, Gaussian copula": Peer("sdv_copula.py", "sdv==2.0.0", None, (_TORCH,)),
    "sfumato, default": Peer("sfumato_auto.py", "", _ONE),
}
