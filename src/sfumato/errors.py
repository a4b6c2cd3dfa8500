"""Errors a user can fix: one clear line each, never a private value."""

from __future__ import annotations

from typing import Any

from sfumato.printable import printable


class SfumatoError(Exception):
    """Base of all errors whose message is meant for the user (exit code 2 on the command line).

    As text, a name that it quotes cannot act on a terminal: see :mod:`sfumato.printable`.
    """

    def __str__(self) -> str:
        return printable(" ".join(super().__str__().split("\n")))


class ArtifactError(SfumatoError):
    """A saved model that is damaged, edited, hostile or of another format."""


class OutputError(SfumatoError):
    """A place that cannot be written to."""


class TableError(SfumatoError):
    """A table that cannot be read as it stands."""


class CertificateError(SfumatoError):
    """A certificate that is missing, does not fit its model, or claims less than its events cost."""


class OutdatedCertificate(CertificateError):  # noqa: N818 - reads as what it is: a certificate that is outdated
    """A certificate that fits its model and its events, issued before fixes of the promise: it may promise too much.

    Attributes:
        found: what was verified, a ``Verification``.
        lacks: titles of the fixes it was issued without.
    """

    def __init__(self, name: str, found: Any, lacks: tuple[str, ...]) -> None:
        self.found, self.lacks = found, lacks
        super().__init__(
            f"{name}: the certificate fits, but was issued before {len(lacks)} fixes of the promise, and may promise"
            f" too much ({' '.join(lacks)}): fit again"
        )


class KeyFileError(SfumatoError):
    """A key file that is missing or holds no Ed25519 key."""


class MissingExtra(SfumatoError):  # noqa: N818 - reads as what it is: an extra that is missing
    """A package that an optional part needs is not installed.

    Attributes:
        extra: the one that brings it.
    """

    def __init__(self, extra: str, what: str) -> None:
        self.extra = extra
        super().__init__(f'{what} needs the extra [{extra}]: pip install "sfumato[{extra}]"')


class MissingPackage(SfumatoError):  # noqa: N818 - reads as what it is: a package that is missing
    """A package that sfumato itself requires cannot be imported."""

    def __init__(self, package: str, needed_by: str) -> None:
        super().__init__(
            f"{package} is not installed, which {needed_by} needs; install sfumato anew: pip install --force-reinstall"
            " sfumato"
        )


class TooFewRows(SfumatoError):  # noqa: N818 - reads as what it is
    """A table is too small for what was asked of it."""


class LedgerError(SfumatoError):
    """A ledger that cannot be opened, read or written, or that does not fit the run."""


class Overdraft(SfumatoError):  # noqa: N818 - the banker's word
    """A release that the run's guarantee or the data set's cap does not cover; nothing was released."""


class FederationError(SfumatoError):
    """A plan, a peer or a message that a site or the coordinator of a federation refuses; nothing was opened."""


class EngineError(SfumatoError):
    """An engine for secret shares that is missing, a program it may not run, or a party that was refused or is gone."""


class TooMuchNoise(SfumatoError):  # noqa: N818 - reads as what it is
    """A promise asks for more noise than whole numbers hold."""


class SchemaError(SfumatoError):
    """A schema that cannot be read, contradicts itself, or does not fit the table."""


class RefusedValue(SfumatoError):  # noqa: N818 - reads as what it is: a value that the schema refuses
    """A table holds something that its schema says to refuse."""


class ConditionError(SfumatoError):
    """A condition at sampling that names no known column or value."""


class CheckpointError(SfumatoError):
    """A checkpoint that is damaged or belongs to another training."""


class UnsupportedUnit(SfumatoError):  # noqa: N818 - reads as what it is: a unit that is not supported
    """A question that cannot be answered for the declared privacy unit."""


class QuestionError(SfumatoError):
    """A question that is no question, names what is not installed, or is beyond what may be asked."""
