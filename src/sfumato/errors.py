"""Errors a user can mend: one clear line each, never a private value."""


class SfumatoError(Exception):
    """Base of all errors whose message is meant for the user (exit code 2 on the command line)."""


class ArtifactError(SfumatoError):
    """A saved model that is damaged, edited, hostile or of another format."""


class OutputError(SfumatoError):
    """A place that cannot be written to."""
