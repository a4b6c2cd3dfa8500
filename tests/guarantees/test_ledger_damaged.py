"""A ledger that a disk, a copy or a hand has changed is refused; what was spent is never counted as less."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sfumato.errors import LedgerError, Overdraft
from sfumato.privacy.events import DiscreteGaussian, Gaussian, PoissonSampledGaussian, Threshold, to_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger

CAP = Guarantee(1.5, 1e-6)
SPENT = (DiscreteGaussian(8.0), Gaussian(9.0, 2), Threshold(60.0, 500, 1e-10), DiscreteGaussian(30.0, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed run that spent, a live one that reserves, and a small one between them."""
    path = tmp_path / "people.ledger"
    with Ledger.open(path, CAP) as ledger:
        with ledger.begin(Guarantee(1.5, 1e-7), "fit") as run:
            run.charge(*SPENT)
        with ledger.begin(Guarantee(0.1, 1e-8), "small") as small:
            small.charge(Gaussian(100.0))
        ledger.begin(Guarantee(0.3, 1e-8), "live")
    return path


def fits(path: Path, epsilon: float) -> bool:
    """Whether the cap has room for one more run; it is not begun for good."""
    whole = path.read_bytes()
    try:
        with Ledger.open(path) as ledger:
            ledger.begin(Guarantee(epsilon, 1e-8), "more")
    except Overdraft:
        return False
    finally:
        path.write_bytes(whole)
    return True


def test_no_flipped_bit_makes_room(path: Path) -> None:
    """Of all bits that are set, and of some others: the file is refused, or says what it said and has no more room."""
    whole = path.read_bytes()
    room, too_much = 0.0, 1.5
    while too_much > 1.001 * room:
        middle = (room + too_much) / 2
        room, too_much = (middle, too_much) if fits(path, middle) else (room, middle)
    draw, refused = random.Random(11), 0
    places = [i for i, byte in enumerate(whole) if byte]
    flips = draw.sample(places, 900) + draw.sample(range(len(whole)), 100)
    for place in flips:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            with Ledger.open(path) as ledger:
                assert ledger.cap == CAP, place
                with pytest.raises(Overdraft):
                    ledger.begin(Guarantee(too_much, 1e-8), "more")
        except LedgerError:
            refused += 1
    assert refused > len(flips) / 2


def edit(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    with db:
        for statement in statements:
            db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE charge SET mu_squared = mu_squared / 2 WHERE id = 1", "booked for less than it costs"),
        ("UPDATE charge SET delta = 0", "booked for less than it costs"),
        ("UPDATE charge SET mu_squared = -5 WHERE id = 1", "whose cost is no number"),
        ("UPDATE charge SET mu_squared = 'much' WHERE id = 1", "whose cost is no number"),
        ("UPDATE charge SET event = '[1]'", "a charge that cannot be read"),
        ("UPDATE charge SET event = '{\"mechanism\": [1]}'", "a charge that cannot be read"),
        ("UPDATE charge SET event = x'00ff'", "a charge that cannot be read"),
        ("UPDATE charge SET run = 77 WHERE id = 1", "holds charges of no run"),
        ("DELETE FROM charge WHERE id = 5", "lacks its last charges"),
        ("DELETE FROM charge WHERE id = 2", "lacks charges between others"),
        ("DELETE FROM charge WHERE id < 4", "lacks charges between others"),
        ("UPDATE run SET epsilon = 'all'", "a promise that is none"),
        ("UPDATE run SET process = '3'", "whose process cannot be read"),
        ("UPDATE cap SET epsilon = -1", "a promise that is none"),
        ("DELETE FROM cap", "it holds 0 caps"),
        ("CREATE TRIGGER t AFTER INSERT ON charge BEGIN DELETE FROM charge; END", "not those of a ledger"),
        ("DROP TABLE run", "no such table: main.run"),
        ("PRAGMA user_version = 0", "of a format that never was"),
    ],
)
def test_an_edited_ledger_is_refused_in_one_line(path: Path, statement: str, says: str) -> None:
    edit(path, statement)
    with pytest.raises(LedgerError, match=says), Ledger.open(path) as ledger:
        ledger.begin(Guarantee(0.2, 1e-8), "fit")


def test_a_charge_that_says_more_than_its_event_costs_counts_as_said(path: Path) -> None:
    edit(path, "UPDATE charge SET mu_squared = 100 * mu_squared WHERE id = 1")
    with Ledger.open(path) as ledger, pytest.raises(Overdraft):
        ledger.begin(Guarantee(0.01, 1e-8), "fit")


def test_a_training_is_priced_again_by_whoever_opens_the_file(tmp_path: Path) -> None:
    path, training = tmp_path / "l", PoissonSampledGaussian(0.01, 8.0, 10, tail=1e-8)
    with Ledger.open(path, CAP) as ledger, ledger.begin(Guarantee(1.0, 1e-6), "fit") as run:
        run.charge(training)
    edit(path, f"UPDATE charge SET event = '{json.dumps(to_json(training)).replace('8.0', '2.0')}'")
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match="booked for less than it costs"):
        ledger.begin(Guarantee(0.1, 1e-8), "fit")


def test_an_empty_file_is_no_new_ledger(tmp_path: Path) -> None:
    path = tmp_path / "people.ledger"
    path.touch()
    with pytest.raises(LedgerError, match="is empty, as a full disk leaves a ledger"):
        Ledger.open(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_file_is_no_ledger(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "l")
    with pytest.raises(LedgerError, match="is no file, and a ledger is one"):
        Ledger.open(tmp_path / "l")


@pytest.mark.parametrize("name", [":memory:", "a?mode=memory", "50%25", "#1", "caf\udce9.ledger"])
def test_a_name_is_nothing_but_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger.open(name) as ledger:
        found = ledger.id
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert Ledger.open(name, create=False).id == found


RACE = """
import sys
from sfumato.privacy.events import Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger, ledger.begin(Guarantee(0.1), "one of many") as run:
    run.charge(Gaussian(1000.0))
"""


def test_processes_that_make_one_ledger_at_once_share_it(tmp_path: Path) -> None:
    path = tmp_path / "people.ledger"
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        racer.communicate("go\n")
        assert racer.returncode == 0
    assert len(Ledger.open(path).summary()["runs"]) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_ledger_of_an_earlier_version_gets_the_second_place_of_its_facts(path: Path) -> None:
    edit(path, *(f"DROP INDEX {name}_again" for name in ("cap", "run", "charge")))
    edit(path, "CREATE INDEX cost_of_run ON charge (run, mu_squared, delta)")
    Ledger.open(path).close()
    db = sqlite3.connect(path)
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    db.close()
    assert {"cap_again", "run_again", "charge_again"} < names
