"""Who is common to three parties, found without a list: private set intersection.

Each party learns the evaluations of a pseudo-random function at its own keys, of which each party has one part of the
secret (Diffie-Hellman blinding, ``points``). Two of them write what they have into stores from which nothing can be
told but at a key that one knows (``store``); the third reads who is in both, and tells the two (``intersecting``). What
each learns is who is common to all three: not whom two of them share, and not how many persons another has.
"""
