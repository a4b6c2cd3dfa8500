"""Mistakes in what a site refuses before anything is sent, and in how calls come through processes that may end."""

from benchmarks.mutants.mutant import Mutant

_SITE = "federation/site.py"
_LEDGER = "federation/site_ledger.py"
_AUTHORITY = "federation/authority.py"
_SERVER = "federation/nvflare/server.py"
_HANDSHAKE = "federation/nvflare/handshake.py"
_REFUSED = "tests/journeys/test_site_refusals.py"
_CALLS = "tests/federation/nvflare/test_server.py"
_LOOKS = "tests/federation/nvflare/test_handshake.py"
_DEPLOYER = "federation/nvflare/deployer.py"
_DEPLOYED = "tests/federation/nvflare/test_deployer.py"

MUTANTS = (
    Mutant(
        "the plan says which sites there are",
        _SITE,
        "        plan.roster.confirm_fingerprints(self._folder.confirmed)\n",
        "",
        "its certificates are signed",
        f"{_REFUSED}::test_a_plan_with_a_site_that_nobody_confirmed",
    ),
    Mutant(
        "confirmed keys may change places",
        "trust/secure_sum/roster.py",
        "if confirmed.get(m.name) != m.fingerprint]",
        "if m.fingerprint not in confirmed.values()]",
        "each of them was confirmed",
        f"{_REFUSED}::test_a_plan_whose_sites_have_each_others_keys",
    ),
    Mutant(
        "a certificate is of whoever it names as its issuer",
        _AUTHORITY,
        "        found.verify_directly_issued_by(root)\n",
        "        root.public_bytes(Encoding.PEM)\n",
        "the server looks at it again",
        f"{_REFUSED}::test_a_certificate_of_another_authority",
    ),
    Mutant(
        "a site may show the certificate of another",
        _AUTHORITY,
        "    if found.public_key() != _loaded(key).public_key() or found.subject != _subject(name):\n",
        "    if found.subject == _subject(SERVER):\n",
        "all are of one federation",
        f"{_REFUSED}::test_the_certificate_of_another_site",
    ),
    Mutant(
        "certificates hold for ever",
        _AUTHORITY,
        "    if found.not_valid_after_utc < dt.datetime.now(dt.UTC):\n",
        "    if found.not_valid_after_utc < found.not_valid_before_utc:\n",
        "TLS refuses old ones",
        f"{_REFUSED}::test_a_certificate_that_has_expired",
    ),
    Mutant(
        "NVFlare is missed once it is called",
        _SITE,
        '        require("federated", "a run over real sites")\n',
        "",
        "its import fails by itself",
        f"{_REFUSED}::test_a_run_without_nvflare",
    ),
    Mutant(
        "two runs of a site at once",
        _SITE,
        "        with self._alone(), paying(",
        "        with paying(",
        "the ledger lets one of them charge",
        f"{_REFUSED}::test_a_second_run_at_once",
    ),
    Mutant(
        "a plan is carried out as often as it is asked for",
        _LEDGER,
        "    if before.done:\n",
        "    if False:\n",
        "the ledger's run pays for all tries",
        f"{_REFUSED}::test_a_plan_that_was_carried_out",
    ),
    Mutant(
        "any ledger may pay for a plan that goes on",
        _LEDGER,
        "    if before.ledger != ledger.id:\n",
        "    if not before.ledger:\n",
        "runs have numbers",
        f"{_REFUSED}::test_a_ledger_that_does_not_pay_for_this_plan",
    ),
    Mutant(
        "names of a plan are whatever JSON has",
        "trust/federated/plan.py",
        " and all(isinstance(name, str) for name in (made.model, *made.questions))",
        "",
        "unknown names are refused later",
        f"{_REFUSED}::test_a_plan_with_any_damaged_value",
    ),
    Mutant(
        "a relay that ended stays away",
        _SERVER,
        "        anew = self._silent.intersection(requests) - self._given_up\n",
        "        anew: set[int] = set()\n",
        "a site that was lost is lost",
        f"{_CALLS}::test_relays_are_started_anew_before_a_silent_site_is_called_again",
    ),
    Mutant(
        "relays are started anew for every call of a lost site",
        _SERVER,
        "        anew = self._silent.intersection(requests) - self._given_up\n",
        "        anew = self._silent.intersection(requests)\n",
        "it may have come back",
        f"{_CALLS}::test_a_site_that_stays_silent_costs_one_new_start",
    ),
    Mutant(
        "a site that refuses counts as silent",
        _SERVER,
        "{place for place, said in replies.failures.items() if said == UNSEEN.decode()}",
        "set(replies.failures)",
        "neither has answered",
        f"{_CALLS}::test_a_site_that_refuses_is_there",
    ),
    Mutant(
        "a site's client answers all that NVFlare's does",
        "federation/nvflare/client_process.py",
        " if type(each).__name__ in ANSWERED]",
        "]",
        "its policy says that no shell command is answered",
        "tests/federation/nvflare/test_client_process.py::test_no_shell_no_log_and_no_end_for_the_server",
    ),
    Mutant(
        "any server is that of the federation",
        _HANDSHAKE,
        "    waited, refused = False, 0\n",
        "    waited, refused = False, 0\n    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n",
        "the server's name may be another one than the sites use",
        f"{_LOOKS}::test_a_server_of_another_authority_is_refused",
    ),
    Mutant(
        "a handshake that succeeded is a welcome",
        _HANDSHAKE,
        'ended = connection.recv(1) == b""',
        "ended = False",
        "both certificates are checked in it",
        f"{_LOOKS}::test_a_certificate_that_the_server_does_not_know_is_told",
    ),
    Mutant(
        "whoever takes part in a job calls a site",
        "federation/nvflare/relays.py",
        "        if collab.caller != _COORDINATOR:",
        "        if not collab.caller:",
        "all of them were let in",
        "tests/federation/nvflare/test_relays.py::test_the_coordinator_alone_calls_a_site",
    ),
    Mutant(
        "a site's state is shown to whoever starts a run",
        "federation/nvflare/kits.py",
        'shown: str = "none"',
        'shown: str = "any"',
        "it is the coordinator's own session",
        "tests/federation/nvflare/test_relays.py::test_a_site_shows_nothing_to_the_session_that_starts_a_run",
    ),
    Mutant(
        "the environment of a site is handed on",
        "federation/nvflare/attended.py",
        "for name, value in os.environ.items() if name in _NEEDED or",
        "for name, value in os.environ.items() if name or",
        "it is the same user",
        "tests/federation/nvflare/test_relays.py::test_no_secret_of_the_environment_is_handed_on",
    ),
    Mutant(
        "a run is over whenever that is said",
        "federation/site_service.py",
        "            if not self._begun:\n",
        "            if False:\n",
        "the coordinator knows when it is",
        "tests/federation/test_site_service.py::test_a_run_is_over_only_once_it_has_begun",
    ),
    Mutant(
        "a job is judged once it was unpacked",
        _DEPLOYER,
        "        if not (_is_number(job_id) and _is_own(app_data)):\n",
        "        if not _is_number(job_id):\n",
        "NVFlare refuses code by itself",
        f"{_DEPLOYED}::test_the_own_job_is_deployed_and_no_other",
    ),
    Mutant(
        "a job names what is made at a site",
        _DEPLOYER,
        "json.loads(packed.read(SITE_CONFIG)) == site_job()",
        'json.loads(packed.read(SITE_CONFIG))["format_version"] == site_job()["format_version"]',
        "there is a list of classes",
        f"{_DEPLOYED}::test_the_own_job_is_deployed_and_no_other",
    ),
    Mutant(
        "any folder of a site's kit is that of a job",
        _DEPLOYER,
        "        if not (_is_number(job_id) and _is_own(app_data)):\n",
        "        if not _is_own(app_data):\n",
        "the server numbers its jobs",
        f"{_DEPLOYED}::test_the_name_of_a_folder_is_no_job",
    ),
    Mutant(
        "modules are looked for where a process runs",
        "federation/nvflare/attended.py",
        '_SAFE = {"PYTHONSAFEPATH": "1"}',
        "_SAFE: dict[str, str] = {}",
        "Python does so",
        "tests/federation/nvflare/test_relays.py::test_no_module_is_taken_from_the_folder_of_a_run",
    ),
)
"""Each with the test that must turn red by it."""
