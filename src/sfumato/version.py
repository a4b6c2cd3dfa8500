"""Which release of sfumato this is."""

VERSION = "0.1.0"
