"""Secure sums between sites that keep their rows: vectors of whole numbers in, their exact sum out, nothing else.

Everything here is pure: bytes in, bytes out, no files and no network (``accounts`` alone writes, to a ledger). It knows
nothing of questions. The order of calls, with places = positions of sites in the roster::

    roster = Roster((Member(name, public_key), ...), curious=c, lost=d)          # of the signed plan
    terms = SumTerms(plan_hash, roster, rounds, attempts, longest, bits)          # 32 or 64: terms.ring_bits
    site = SumSite(terms, identity)                        # at each site, anew in each process
    coordinator = SumCoordinator(terms)

    # set-up, once a run; on FederationError, or without an answer of some site, all begin anew with new objects
    keys = coordinator.keys({place: site.key()})           # the same bytes go to every site
    deliveries = coordinator.deliveries({place: site.shares(keys)})
    site.receive(deliveries[place])

    # a round: number = RoundNumber(round, attempt), each used once, ascending; subject = SHA-256 of what is asked
    opening = coordinator.opening(number, subject, length)
    opening.add(place, site.masked(number, subject, noised))      # until all answered, or the deadline has passed
    survivors = opening.listed()                                  # to opening.survivors; FederationError: too few
    consents = opening.consents({place: site.consent(survivors)})  # at least T; the result goes to those who signed
    total = opening.opened({place: site.unmask(consents)})         # at least T; all survivors, if a vector was missing
    integers = masks.centred(total)                                # int64

On FederationError a round is not opened: try ``RoundNumber(round, attempt + 1)``, which is charged again. At a site the
charge comes before the noise, and the noise before ``masked``: see ``accounts.SiteAccount``. With
``terms.semi_honest`` a site answers ``opening.listed()`` by ``unmask_unsigned``, and there are no consents.
"""
