"""Without a terminal: sketch, review by a file of answers, fit with a certificate that names every source."""

from __future__ import annotations

import json

CODE_BOOK = """\
by: A. Jansen
on: 2026-01-02
columns:
  age: {bounds: {replace: [0, 120], reason: limits of human age}, rest: {public: "form F2, question 1"}}
  sex: {public: "form F2, question 2"}
  town: {categories: {replace: [Delft, Ede, Goes], reason: the three towns asked}, rest: {public: form F2}}
  wage: {bounds: measure, nullable: measure, rest: {public: form F2}}
  income: {public: "form F2, question 5"}
"""


def test_sketch_review_fit_verify(spawn, data, tmp_path):
    spawn("sketch", data, "-o", "draft.yaml").fine()
    listed = spawn("review", "draft.yaml").fine().out
    assert "age     kind integer" in listed
    assert "no certificate rests on them" in listed
    found = spawn("review", "draft.yaml", "--json").fine().json["open"]
    assert {"part", "name", "fact", "value", "standing", "review"} == set(found[0])
    assert {f["standing"] for f in found} == {"unreviewed"}
    spawn("fit", data, "--schema", "draft.yaml").refused("age (kind,", "reviewed: {by: YOU", "--no-certificate")
    (tmp_path / "answers.yaml").write_text(answers(found))
    done = spawn("review", "draft.yaml", "--answers", "answers.yaml", "-o", "reviewed.yaml", "--json").fine().json
    assert done["open"] == []
    assert {f["review"]["reason"] for f in done["settled"] if f["fact"] == "bounds" and f["name"] == "age"} == {
        "limits of human age"
    }
    spawn("fit", data, "--schema", "reviewed.yaml", "--model", "independent", "--delta", 1e-6).fine()
    certificate = spawn("verify", "model.sfm", "--json").fine().json["certificate"]
    columns = {c["name"]: c for c in certificate["data_domain"]["columns"]}
    assert columns["wage"]["sources"]["bounds"] == "measured"
    assert columns["sex"]["sources"]["nullable"] == "reviewed"
    assert {"facts": ["bounds"], "by": "A. Jansen", "on": "2026-01-02", "reason": "limits of human age"} in columns[
        "age"
    ]["reviews"]


def answers(found):
    """The answers of the code book, and for the parts of the whole table that the draft describes."""
    parts = {f["part"] for f in found} - {"column", "constraint"}
    return CODE_BOOK + "".join(f"{part}: {{public: our export writes it so}}\n" for part in sorted(parts))


def test_half_a_review_writes_nothing(run, data, tmp_path):
    run("sketch", data, "-o", "draft.yaml").fine()
    (tmp_path / "half.yaml").write_text("by: A\non: 2026-01-02\ncolumns:\n  sex: {public: F2}\n  sexe: {public: F2}\n")
    half = ("review", "draft.yaml", "--answers", "half.yaml", "-o", "out.yaml")
    run(*half).refused("sexe: the schema has no such line", "age: no answer for", "town: no answer for")
    assert "no such line" in json.loads(run(*half, "--json").out)["error"]
    assert not (tmp_path / "out.yaml").exists()


def test_an_input_is_never_overwritten(run, data, tmp_path):
    run("sketch", data, "-o", "draft.yaml").fine()
    run("review", "draft.yaml", "--template", "answers.yaml").fine()
    text = (tmp_path / "draft.yaml").read_bytes()
    for out in ("draft.yaml", "answers.yaml", "./draft.yaml"):
        run("review", "draft.yaml", "--answers", "answers.yaml", "-o", out).refused(
            "is read or added to by this command"
        )
    run("review", "draft.yaml", "--template", "draft.yaml").refused("is read or added to")
    run("review", "draft.yaml", "--answers", "answers.yaml").refused("--answers and --output go together")
    assert (tmp_path / "draft.yaml").read_bytes() == text
