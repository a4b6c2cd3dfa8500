"""The report of a model of several sites names each, with what it signed."""

from tests.release.signed_model import signed_model

import sfumato as sf


def test_a_report_names_the_sites_and_what_they_signed(tmp_path):
    made = signed_model(tmp_path, certified=("north", "east"))
    sf.report(made.path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    part = text[text.index('<h3 id="sites"') : text.index('<h3 id="public-facts"')]
    assert all(fingerprint in part for fingerprint in made.told.values())
    assert part.count("the plan and this certificate") == 2
    assert part.count("the plan, not this certificate") == 1
    assert 'href="#sites"' in text
