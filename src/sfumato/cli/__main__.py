"""``python -m sfumato.cli``."""

from sfumato.cli.main import main

main()
