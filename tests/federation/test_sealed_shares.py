"""Owners and servers with folders of their own: what is shared is paid for, sealed, and read by its server alone."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.trust.parties import DOMAIN, SCHEMA, people, together

import sfumato as sf
from sfumato.errors import FederationError, OutputError
from sfumato.federation import coordinator_folder, sealed_shares, site_folder, site_ledger
from sfumato.federation.authority import fresh_key
from sfumato.federation.documents import Invitation, SiteRequest, written
from sfumato.federation.sealed_shares import SealedShares, by_owner, file_name, write_sealed
from sfumato.federation.site_folder import SiteFolder
from sfumato.federation.site_run import SiteRun
from sfumato.progress import Silent
from sfumato.results.plain import sorted_json
from sfumato.trust.federated.agreement import sign_plan
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.outsourced import SealingKey
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, cuts
from sfumato.trust.mpc.whole_plan import at_servers
from sfumato.trust.questions import Query
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose

HELD = {"clinic": ("a", "b"), "council": ("c", "d", "e")}
SERVERS = ("north", "east", "west")
EVERYBODY = (*HELD, *SERVERS)
PEOPLE = people(150)
PAIRS = [(0, 2), (0, 1), (2, 4), (3, 4)]


def write_tables(folder: Path) -> None:
    """The table of each owner, as the schema of the tests writes its codes."""
    keys = [f"p{i:03d}" for i in range(len(PEOPLE))]
    cells = {
        "a": PEOPLE[:, 0],
        "b": np.array(["x", "y", "z"])[PEOPLE[:, 1]],
        "c": PEOPLE[:, 2] == 1,
        "d": np.array(["p", "q", "r", "s"])[PEOPLE[:, 3]],
        "e": PEOPLE[:, 4],
    }
    for name, held in HELD.items():
        csv.write_csv(pa.table({"who": keys, **{c: cells[c] for c in held}}), folder / f"{name}.csv")
    (folder / "persons.txt").write_text("\n".join(keys))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of all who take part in a plan, under their names, and what the owners shared, in ``sent``."""
    folder = tmp_path_factory.mktemp("servers")
    write_tables(folder)
    with pytest.MonkeyPatch.context() as patch:
        connection = fresh_key()  # RSA keys take a second each, and nobody is connected here
        for module in (site_folder, coordinator_folder):
            patch.setattr(module, "fresh_key", lambda: connection)
        federation = sf.Federation.make(
            folder / "co",
            SCHEMA,
            list(HELD),
            sf.Guarantee(1, 1e-6),
            model="mst",
            columns=HELD,
            key="who",
            persons=folder / "persons.txt",
            servers=SERVERS,
        )
        made = {name: sf.Site.make(folder / name, name) for name in EVERYBODY}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    for name, (site, _) in made.items():
        site.confirm({other: known for other, known in told.items() if other != name})
        shutil.copy(plan, folder / name / "plan.json")
    (folder / "sent").mkdir()
    for name in HELD:
        share(folder, name, folder / "sent")
    return folder


def share(folder: Path, name: str, to: Path, **more) -> list[Path]:
    options = {"persons": folder / "persons.txt", "ledger": folder / f"{name}.ledger"} | more
    return sf.Site(folder / name).share(folder / name / "plan.json", folder / f"{name}.csv", to, **options)


def plan_of(folder: Path) -> FederationPlan:
    return Invitation.load(folder / "north" / "plan.json").plan


def opened(folder: Path, place: int, owner: str, sent: Path | None = None) -> SealedShares:
    path = (sent or folder / "sent") / file_name(owner, SERVERS[place])
    return SealedShares(path, plan_of(folder), place, SiteFolder(folder / SERVERS[place]).sealing_key)


def records(folder: Path, place: int) -> ServerRecords:
    plan = plan_of(folder)
    files = by_owner([opened(folder, place, owner) for owner in reversed(HELD)], plan)
    received = [one.received(cut) for one, cut in zip(files, cuts(plan), strict=True)]
    return ServerRecords.of(plan, received, [one.agreed for one in files], Silent())


def test_what_servers_read_adds_up_to_all_tables(planned: Path) -> None:
    made = [records(planned, place) for place in range(3)]
    owners = plan_of(planned).split.owners(first_codec(SCHEMA))
    for pair in PAIRS:
        shares = sum(one.tables.table(*(owners[i] for i in pair)).astype(np.int64) for one in made)
        assert (shares % 2**32).tolist() == together(PEOPLE).table(Query(pair)).tolist()
    assert len({one.names for one in made}) == 1


def test_files_are_as_large_as_follows_from_the_plan(planned: Path) -> None:
    """One server has seeds alone; the others a word for each cell of each person."""
    for owner, cut in zip(HELD, cuts(plan_of(planned)), strict=True):
        sizes = [(planned / "sent" / file_name(owner, server)).stat().st_size for server in SERVERS]
        dense = 4 * len(PEOPLE) * cut.layout.widths[cut.owner]
        assert sizes[0] < 1500
        assert all(dense < size < dense + 1500 for size in sizes[1:])
    assert sum(DOMAIN.sizes) == sum(cuts(plan_of(planned))[0].layout.widths)


def test_a_sealed_file_holds_no_key_of_a_person_and_no_two_are_alike(planned: Path, tmp_path: Path) -> None:
    again = {path.name: path.read_bytes() for path in share(planned, "clinic", tmp_path)}
    for name, data in again.items():
        assert b"p001" not in data
        assert data[-1000:] != (planned / "sent" / name).read_bytes()[-1000:]


def test_an_owner_is_charged_once_with_the_whole_plan(planned: Path, tmp_path: Path) -> None:
    for name in HELD:
        share(planned, name, tmp_path)
        with sf.Ledger.open(planned / f"{name}.ledger") as ledger:
            (run,) = ledger.summary()["runs"]
        whole = plan_of(planned).at_a_site.epsilon
        assert len(run["events"]) == 1
        assert 0.9 * whole < run["epsilon_spent"] <= whole


def test_nothing_is_charged_where_files_are_there_already(planned: Path) -> None:
    with pytest.raises(OutputError, match=r"clinic\.for-north\.shares"):
        share(planned, "clinic", planned / "sent", ledger=planned / "another.ledger")
    assert not (planned / "another.ledger").exists()


def test_without_room_for_the_whole_plan_nothing_is_written(planned: Path, tmp_path: Path) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    (other / "clinic" / "runs.json").unlink()
    sf.Ledger.open(other / "small.ledger", sf.Guarantee(1, 1e-5)).close()
    with pytest.raises(sf.Overdraft):
        share(other, "clinic", tmp_path, ledger=other / "small.ledger")
    assert not list(tmp_path.glob("*.shares"))


def test_the_ledger_is_charged_before_the_first_byte_is_written(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    (other / "clinic" / "runs.json").unlink()

    def killed(*_: object) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("sfumato.federation.outsourced_run.write_sealed", killed)
    with pytest.raises(KeyboardInterrupt):
        share(other, "clinic", tmp_path, ledger=other / "fresh.ledger")
    with sf.Ledger.open(other / "fresh.ledger") as ledger:
        assert [len(run["events"]) for run in ledger.summary()["runs"]] == [1]


def test_a_file_that_was_cut_or_changed_anywhere_is_refused(planned: Path, tmp_path: Path) -> None:
    (cut, _), name = cuts(plan_of(planned)), file_name("clinic", "east")
    whole = (planned / "sent" / name).read_bytes()
    head = whole.index(b"\n")
    places = [*range(0, head + 200, 7), *range(head, len(whole), 499), len(whole) - 1]
    changed = [whole[:p] + bytes([whole[p] ^ 1]) + whole[p + 1 :] for p in places]
    for data in (*changed, whole[:-1], whole + b"\0", whole[: head + 1], whole[:20], b""):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FederationError):
            list(opened(planned, 1, "clinic", tmp_path).received(cut).pairs())


def test_a_file_for_another_server_owner_or_plan_is_refused(planned: Path, tmp_path: Path) -> None:
    plan, key = plan_of(planned), SiteFolder(planned / "west").sealing_key
    path = planned / "sent" / file_name("clinic", "east")
    with pytest.raises(FederationError, match="shares for server east, and this is west"):
        SealedShares(path, plan, 2, key)
    with pytest.raises(FederationError, match="sealed to another key"):
        list(SealedShares(path, plan, 1, key).received(cuts(plan)[0]).pairs())
    with pytest.raises(FederationError, match="shares for another plan"):
        SealedShares(path, replace(plan, rounds=7), 1, key)
    with pytest.raises(FederationError, match="no shares of rows"):
        SealedShares(planned / "persons.txt", plan, 1, key)
    with pytest.raises(FederationError, match="one of each owner is needed, of clinic, council"):
        by_owner([opened(planned, 1, "clinic")] * 2, plan)


def test_shares_that_another_signed_are_refused(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, (cut, _) = plan_of(planned), cuts(plan_of(planned))
    codes = np.zeros(len(PEOPLE), np.uint8)
    signed = sign_plan(plan, SiteFolder(planned / "clinic").identity)
    monkeypatch.setattr(sealed_shares, "sign_plan", lambda *_: signed)  # as it stands in files that were sent
    sharing = RowSharing(cut, Codes((codes, codes), np.ones(len(PEOPLE), bool)), 0)
    write_sealed(tmp_path, plan, SiteFolder(planned / "council").identity, sharing)
    with pytest.raises(FederationError, match="the signature of owner clinic does not fit"):
        opened(planned, 0, "clinic", tmp_path)


def test_shares_older_than_the_plan_allows_are_deleted(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = file_name("clinic", "east")
    shutil.copy(planned / "sent" / name, tmp_path / name)
    now = dt.datetime.now(dt.UTC)
    for days, there in ((29, True), (31, False)):
        monkeypatch.setattr(sealed_shares, "_now", lambda days=days: now + dt.timedelta(days=days))
        if there:
            opened(planned, 1, "clinic", tmp_path)
        else:
            with pytest.raises(FederationError, match="for 30 days: it was deleted"):
                opened(planned, 1, "clinic", tmp_path)
        assert (tmp_path / name).exists() is there


def test_a_server_deletes_what_it_was_sent_and_the_key_to_it(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    files = [other / "sent" / file_name(owner, "east") for owner in HELD]
    monkeypatch.setattr(SiteRun, "_serve", lambda *_: None)  # a run that is over at once
    sf.Site(other / "east").serve(other / "east" / "plan.json", files)
    assert not any(file.exists() for file in files)
    assert not (other / "east" / "sealing.key").exists()
    with sf.Ledger.open(other / "east" / "server.ledger") as ledger:
        (run,) = ledger.summary()["runs"]
    assert run["guarantee"]["epsilon"] == at_servers(plan_of(planned)).epsilon


def test_a_server_that_is_killed_while_it_deletes_has_no_key_any_more(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    files = [other / "sent" / file_name(owner, "east") for owner in HELD]

    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path in files:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(SiteRun, "_serve", lambda *_: None)
    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        sf.Site(other / "east").serve(other / "east" / "plan.json", files)
    assert not (other / "east" / "sealing.key").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sharing": "zz"}, "is damaged"),
        ({"sharing": ""}, "is damaged"),
        ({"sharing": "00" * 33}, "is damaged"),
        ({"sharing": 5}, "no shares of rows"),
        ({"agreed": []}, "no shares of rows"),
        ({"agreed": "zz"}, "is damaged"),
        ({"written": 7}, "no shares of rows"),
        ({"written": "9999-01-01T00:00:00Z"}, "is yet to come"),
        ({"key": 4}, "no shares of rows"),
        ({"key": "00" * 32}, "is damaged"),
    ],
    ids=["no hex", "no name", "long name", "number", "list", "no signature", "no text", "future", "no key", "null key"],
)
def test_nothing_of_a_head_is_believed_because_its_owner_signed_it(
    planned: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    name, owner = file_name("clinic", "east"), SiteFolder(planned / "clinic").identity
    line, rest = (planned / "sent" / name).read_bytes().split(b"\n", 1)
    head = sorted_json({**json.loads(line), **change}) + b"\n"
    (tmp_path / name).write_bytes(head + owner.sign(SignaturePurpose.SHARES, head) + rest[SIGNATURE_BYTES:])
    with pytest.raises(FederationError, match=says):
        opened(planned, 1, "clinic", tmp_path)


def test_a_file_that_is_taken_away_meanwhile_is_told_of(planned: Path, tmp_path: Path) -> None:
    name = file_name("clinic", "east")
    shutil.copy(planned / "sent" / name, tmp_path / name)
    found = opened(planned, 1, "clinic", tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FederationError, match="cannot read"):
        found.received(cuts(plan_of(planned))[0])


def test_nothing_is_charged_for_a_key_that_nothing_can_be_sealed_to(planned: Path) -> None:
    """A point of small order, which its server signed: nothing is secret that is told of it."""
    north, public = SiteFolder(planned / "north").identity, bytes(32)
    key = SealingKey(public, north.sign(SignaturePurpose.SEALING, public))
    with pytest.raises(FederationError, match="north: nothing can be sealed to its key for shares"):
        key.check(plan_of(planned).roster.members[0])


def test_a_server_answers_what_owners_with_wider_caps_have_paid_for(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    monkeypatch.setattr(SiteRun, "_serve", lambda *_: None)
    monkeypatch.setattr(site_ledger, "DEFAULT_CAP", sf.Guarantee(0.1, 1e-6))
    sf.Site(other / "east").serve(
        other / "east" / "plan.json", [other / "sent" / file_name(owner, "east") for owner in HELD]
    )


@pytest.mark.parametrize("who", ["clinic", "north"])
def test_a_plan_in_which_a_server_has_another_key_is_refused(planned: Path, tmp_path: Path, who: str) -> None:
    """Whoever writes the plan could read what is sealed to a key of its own."""
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    plan = plan_of(planned)
    sealing = plan.outsourced.sealing
    swapped = replace(plan.outsourced, sealing=(SiteRequest.load(request(other, "council")).sealing, *sealing[1:]))
    forged = replace(plan, split=replace(plan.split, outsourced=swapped))
    invitation = Invitation.load(other / who / "plan.json")
    (other / who / "plan.json").write_bytes(written(replace(invitation, plan=forged)))
    with pytest.raises(FederationError, match="north under its key for shares does not fit"):
        took_part(other, who, tmp_path)


def took_part(folder: Path, who: str, to: Path) -> None:
    """An owner shares, a server serves."""
    if who in HELD:
        share(folder, who, to)
    else:
        sf.Site(folder / who).serve(folder / who / "plan.json", [])


def request(folder: Path, name: str) -> Path:
    return folder / name / f"{name}.request.json"


@pytest.mark.parametrize(
    ("who", "unconfirmed"), [("clinic", "north"), ("clinic", "council"), ("north", "clinic"), ("north", "east")]
)
def test_nobody_takes_part_with_whom_it_has_not_confirmed(
    planned: Path, tmp_path: Path, who: str, unconfirmed: str
) -> None:
    other = tmp_path / "folders"
    shutil.copytree(planned, other)
    path = other / who / "confirmed.json"
    path.write_text(path.read_text().replace(f'"{unconfirmed}"', '"somebody"'))
    with pytest.raises(FederationError, match=f"not confirmed: {unconfirmed} "):
        took_part(other, who, tmp_path)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda f: share(f, "north", f, persons=f / "persons.txt"), "names this folder as no owner"),
        (lambda f: sf.Site(f / "clinic").serve(f / "clinic" / "plan.json", []), "the plan does not name the site"),
        (
            lambda f: sf.Site(f / "clinic").run(f / "clinic" / "plan.json", f / "clinic.csv"),
            "takes part by sfumato party share",
        ),
        (lambda f: sf.Site(f / "north").serve(f / "north" / "plan.json", [f / "none"]), "cannot read"),
    ],
    ids=["a server shares", "an owner serves", "an owner runs", "no file"],
)
def test_who_does_what_is_said(planned: Path, call, says: str) -> None:
    with pytest.raises(FederationError, match=says):
        call(planned)


def test_an_owner_checks_at_home_and_reads_what_it_agrees_to(planned: Path) -> None:
    plan = planned / "clinic" / "plan.json"
    found = sf.Site(planned / "clinic").check(plan, planned / "clinic.csv", persons=planned / "persons.txt")
    said = " ".join(found.words)
    for text in (
        "Owner clinic holds a, b.",
        "ANY TWO OF THE SERVERS TOGETHER CAN READ EVERYTHING",
        "charged with the whole plan",
        "more than 30 days before",
        "Each server answers count, marginals",
    ):
        assert text in said
    assert found.rows == len(PEOPLE)
    assert "its rows never leave it" not in said


def test_a_key_for_shares_that_was_deleted_is_told_of(planned: Path, tmp_path: Path) -> None:
    shutil.copytree(planned / "north", tmp_path / "north")
    folder = SiteFolder(tmp_path / "north")
    folder.delete_sealing_key()
    with pytest.raises(FederationError, match="deleted at the end of a run"):
        _ = folder.sealing_key
