"""Federations of real sites: who takes part, the folder of each side, and the processes that talk over mutual TLS.

``authority`` signs the certificates of the connection, ``request`` is what a site asks to be taken in with, and
``invitation`` the file with the plan that each site gets. ``coordinator`` and ``site`` are the two sides. What is said
between them is that of ``trust.federated``; ``nvflare`` carries it.
"""
