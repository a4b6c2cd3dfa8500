"""NVFlare 2.9 as carrier: it runs processes at each side, connects them over mutual TLS, and passes bytes on.

``kits`` writes the folders that its processes start from, with everything off that they do not need; ``relays`` are the
few lines of ours in these processes; ``attended`` ends them with whoever started them; ``server`` and ``client`` are
how the two sides use them. No row, noise or signing key is ever in a process of NVFlare, only the key of its
connection: a relay hands bytes to the process of ``sfumato`` beside it, over a socket that only its user can open.
"""
