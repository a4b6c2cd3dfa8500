"""The report: one file that needs nothing else, and a releasable build that is a function of the model alone."""

from __future__ import annotations

import csv
import html
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.journeys.conftest import CANARY
from threadpoolctl import threadpool_limits

import sfumato as sf
from sfumato.auditing.suite import Most
from sfumato.errors import SfumatoError
from sfumato.reporting.charts import claimed_and_measured, roc
from sfumato.reporting.column_chart import column_chart

SCHEMA = """\
sfumato: schema/1
unit: row
target: paid
columns:
  age: {kind: integer, bounds: [0, 90], source: public}
  "<b>job</b>": {kind: category, categories: ["a&b", c, d], outside: other, source: public}
  wage: {kind: real, bounds: [0, 100], nullable: true, source: public}
  paid: {kind: category, categories: ["no", "yes"], source: public}
"""


def write(path: Path, n: int, seed: int) -> Path:
    """Rows in which age drives wage and pay; one of them holds a secret label."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["age", "<b>job</b>", "wage", "paid"])
        writer.writerow([33, CANARY, 3.25, "no"])
        for _ in range(n - 1):
            age = int(rng.integers(18, 80))
            wage = "" if rng.random() < 0.1 else round(float(np.clip(age + rng.normal(0, 9), 0, 100)), 2)
            writer.writerow([age, rng.choice(["a&b", "c", "d"]), wage, "yes" if rng.random() < age / 90 else "no"])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    write(folder / "real.csv", 600, 0)
    write(folder / "holdout.csv", 400, 1)
    for epsilon in (2, 20):
        fitted = sf.Synthesizer(
            folder / "schema.yaml",
            guarantee=sf.Guarantee(epsilon, 1e-6),
            ledger=folder / f"{epsilon}.ledger" if epsilon == 2 else sf.Ledger.open(None, sf.Guarantee(20, 1e-5)),
        ).fit(folder / "real.csv")
        fitted.save(folder / f"model{epsilon}.sfm")
    return folder


@pytest.fixture(scope="module")
def internal(folder):
    with threadpool_limits(1):
        said = sf.report(
            folder / "model2.sfm",
            folder / "internal.html",
            folder / "real.csv",
            folder / "holdout.csv",
            others=[folder / "model20.sfm"],
            ledger=folder / "2.ledger",
        )
    return said, (folder / "internal.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def quick(folder):
    """A quick report of which the learners and the attacks saw some of the rows."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        patch.setattr("sfumato.evaluation.summary._QUICK", 250)
        patch.setattr("sfumato.reporting.measuring._QUICK", Most(candidates=150, synthetic=350))
        files = (folder / name for name in ("model2.sfm", "quick.html", "real.csv", "holdout.csv"))
        sf.report(*files, suite="quick")
    return (folder / "quick.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def releasable(folder):
    said = sf.report(folder / "model2.sfm", folder / "releasable.html")
    return said, (folder / "releasable.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Open elements that are closed in order, and what points outside the file."""

    void = frozenset({"meta", "br", "img", "link", "hr", "use", "path", "rect", "circle", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.headings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        links = [v or "" for k, v in attrs if k in ("src", "href", "xlink:href", "data")]
        self.outside += [v for v in links if not v.startswith(("#", "data:"))]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


@pytest.mark.parametrize("kind", ["internal", "releasable"])
def test_one_file_that_needs_nothing_else(kind, request):
    said, text = request.getfixturevalue(kind)
    outline = Outline(text)
    assert outline.open == []
    assert outline.outside == []
    assert "<script" not in text
    assert "mathdefault" not in text
    assert not re.search(r"url\((?!#)|@import", text)
    assert said.build == kind
    assert said.bytes == len(text.encode()) < 3_000_000
    assert "<b>job</b>" not in text
    assert "&lt;b&gt;job&lt;/b&gt;" in text


def test_both_pages_and_all_parts(internal):
    headings = " | ".join(Outline(internal[1]).headings)
    for part in (
        "privacy officer",
        "guarantee in words",
        "not protected",
        "attackers achieved",
        "Article 29",
        "NIST",
        "Ledger",
        "Public facts",
        "Hashes",
        "data scientist",
        "anchors",
        "Subgroups",
        "break the schema",
        "classifier",
        "coefficients",
        "Columns",
        "Pairs",
        "reproduction",
    ):
        assert part in headings, part
    for chart in (
        "ROC curves",
        "claimed and measured",
        "utility against epsilon",
        "subgroups",
        "prediction of the target",
    ):
        assert f'aria-label="{chart}' in internal[1], chart
    for fact in ("0 to 90; never missing", "a&amp;b, c, d; never missing", "0.0 to 100.0; may be missing"):
        assert fact in internal[1], fact
    for criterion in ("singling out", "linkability", "inference: "):
        assert criterion in internal[1]


def test_releasable_holds_nothing_of_the_rows(folder, releasable):
    """It is written from the model alone: real rows, if named, are not even opened."""
    rows = folder / "gone.csv", folder / "ward7.csv"
    sf.report(folder / "model2.sfm", folder / "again.html", *rows, build="releasable")
    stamp = re.compile(r"on \d{4}-\d\d-\d\d \d\d:\d\d UTC|[\d.e-]+ s</td>")
    texts = [stamp.sub("", t) for t in (releasable[1], (folder / "again.html").read_text(encoding="utf-8"))]
    assert texts[0] == texts[1]
    assert CANARY not in releasable[1]
    assert "attackers achieved" not in releasable[1]
    assert "holdout rows" not in releasable[1]


def test_releasable_takes_nothing_that_only_an_internal_report_may_show(folder):
    """What a ledger tells of other runs (one that a cell stopped stays there) is no function of the model."""
    for more in ({"ledger": folder / "any.ledger"}, {"others": [folder / "model2.sfm"]}):
        with pytest.raises(SfumatoError, match=r"releasable|real rows"):
            sf.report(folder / "model2.sfm", folder / "no.html", **more)
    assert not (folder / "no.html").exists()


def test_every_attack_of_a_kind_has_a_line_of_its_own():
    """Also where there are more attacks than colours."""
    curves = {f"attack {i}": [(0.01, 0.02), (1.0, 1.0)] for i in range(9)}
    drawn = roc(curves, None, 0.0)
    assert all(f"attack {i}" in drawn for i in range(9))


def test_the_words_are_never_safe(internal):
    assert not re.search(r"\bsafe\b", internal[1])
    assert "no evidence of a leak beyond" in internal[1]
    assert "The certificate holds" in internal[0].verdict


def test_without_a_certificate_it_says_so(folder):
    fitted = sf.Synthesizer(folder / "schema.yaml", guarantee=sf.Guarantee(1, 1e-6), no_certificate=True)
    fitted.fit(folder / "real.csv").save(folder / "bare.sfm")
    assert sf.report(folder / "bare.sfm", folder / "bare.html").verdict == "No guarantee"


def test_what_was_fitted_without_noise_has_no_report_that_may_be_released(folder):
    fitted = sf.Synthesizer(folder / "schema.yaml", guarantee=sf.Guarantee(float("inf"), 1e-6)).fit(folder / "real.csv")
    fitted.save(folder / "noiseless.sfm")
    with pytest.raises(SfumatoError, match="no report of it may be released"):
        sf.report(folder / "noiseless.sfm", folder / "noiseless.html")
    assert not (folder / "noiseless.html").exists()


def test_what_is_missing_is_said(folder):
    with pytest.raises(SfumatoError, match="--holdout"):
        sf.report(folder / "model2.sfm", folder / "x.html", folder / "real.csv")
    rows = folder / "real.csv", folder / "holdout.csv"
    with pytest.raises(SfumatoError, match="no ledger at"):
        sf.report(folder / "model2.sfm", folder / "x.html", *rows, ledger=folder / "no.ledger")


PROBE = """<script>addEventListener("load", () => parent.document.documentElement.dataset.seen = JSON.stringify({
  wide: document.documentElement.scrollWidth, window: innerWidth,
  sideways: [...document.querySelectorAll("details")].map(d => d.open = true)
    && [...document.querySelectorAll(".scroll")].filter(t => t.scrollWidth > t.clientWidth + 1)
      .map(t => t.textContent.trim().slice(0, 60)),
  asked: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
  blank: [...document.images].filter(i => !i.naturalWidth).length}))</script>"""
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
)


@pytest.fixture
def seen(debian_package, tmp_path):
    """Open a page in Chromium: its width, what it asked for, pictures that stayed blank, and what the console says."""
    browser = debian_package("chromium", "chromium")

    def look(text, width):
        page = tmp_path / "page.html"
        inner = html.escape(text.replace("</body>", PROBE + "</body>"))  # in a frame, for no window is so narrow
        page.write_text(f'<iframe style="width: {width}px; border: 0" srcdoc="{inner}"></iframe>', encoding="utf-8")
        options = (f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", "--dump-dom", page.as_uri())
        done = subprocess.run([browser, *CHROMIUM, *options], capture_output=True, text=True, timeout=120, check=True)
        found = re.search(r'data-seen="([^"]*)"', done.stdout)
        assert found, done.stderr
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return {**json.loads(html.unescape(found.group(1))), "console": console}

    return look


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["internal", "releasable"])
def test_in_a_browser(kind, width, seen, request):
    found = seen(request.getfixturevalue(kind)[1], width)
    assert found == {"wide": width, "window": width, "sideways": [], "asked": [], "blank": 0, "console": []}


def test_what_is_wrong_in_a_browser_would_be_found(seen):
    table = '<div class="scroll" style="overflow: auto"><p style="width: 900px">t</p></div>'
    wide = (
        f'<body>{table}<div style="width: 500px">x</div><img src="http://127.0.0.1:9/x.png"><script>y()</script></body>'
    )
    found = seen(f"<!doctype html><html>{wide}</html>", 390)
    assert found["wide"] == 508
    assert found["sideways"] == ["t"]
    assert found["asked"] == ["http://127.0.0.1:9/x.png"]
    assert found["blank"] == 1
    assert found["console"]


def test_one_page_decides_and_the_contents_lead_everywhere(internal, releasable):
    for _, text in (internal, releasable):
        uses = text[text.index('id="uses"') : text.index('id="officer"')]
        for purpose in ("publish", "develop and test software", "teach", "train a model"):
            assert purpose in uses, purpose
        anchors = re.findall(r'<h[23] id="([^"]+)"', text)
        assert len(anchors) == len(set(anchors)) > 8
        assert re.findall(r'href="#([^"]+)"', uses) == anchors
        assert text.index('id="hashes"') == max(text.index(f'id="{anchor}"') for anchor in anchors)  # last
        assert "data_domain" not in text
        assert "sigma" not in text
    for said in (
        "Overall",
        "Quality by column",
        "Pairs of columns that are furthest off",
        "points",
        "the claim allows",
        "most that 300 rows can show",
    ):
        assert said in internal[1], said
    assert "not known" in releasable[1][: releasable[1].index('id="officer"')]
    assert 'aria-label="real beside synthetic rows' in internal[1]


def test_a_quick_report_says_what_it_left_out_and_on_how_many_rows_its_figures_rest(quick, internal):
    first = quick[: quick.index('id="uses"')]
    for said in (
        "A quick report",
        "Left out: attacks on single rows",
        "150 real, 300 holdout and 350 synthetic rows",
        "trained on 250 synthetic or 250 real rows",
    ):
        assert said in first, said
    uses, attacked = (quick[quick.index(f'id="{a}"') :][:4000] for a in ("uses", "what-attackers-achieved"))
    assert "the best learner, trained on 250 synthetic or 250 real rows, keeps" in uses
    assert "All attacks ran on 350 synthetic rows, with 150 real rows" in attacked
    assert "Linear: trained on 250 synthetic or 250 real rows" in quick
    assert "A quick report" not in internal[1]
    assert "600 real rows, which were used" in internal[1]


def unnamed(text: str) -> list[str]:
    """Figures of tables that are stacked on a telephone, where a cell that has no name shows a bare number."""
    found: list[str] = []
    for table in re.findall(r'<table class="stack">.*?</table>', text, re.DOTALL):
        found += re.findall(r'<td class="n">(.*?)</td>', table)
    return found


def test_every_figure_of_a_stacked_table_has_its_name_beside_it(internal, releasable, quick):
    for text in (internal[1], releasable[1], quick):
        assert unnamed(text) == []
    assert unnamed('<table class="stack"><tr><td>x</td><td class="n">0.5</td></tr></table>') == ["0.5"]


FIGURE = 366
"""Pixels that a chart is wide on a telephone of 390."""


def smallest_letters(text: str) -> dict[str, float]:
    """Pixels of the smallest letters of each chart on a telephone, by its title."""
    found = {}
    for drawn in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        (title,), (wide,) = re.findall(r'aria-label="([^"]*)"', drawn), re.findall(r'viewBox="0 0 ([\d.]+)', drawn)
        sizes = re.findall(r'font-size: ([\d.]+)px|font-size="([\d.]+)"', drawn)
        found[title] = min(float(a or b) for a, b in sizes) * FIGURE / float(wide)
    return found


def test_the_letters_of_each_chart_can_be_read_on_a_telephone(internal, releasable):
    for _, text in (internal, releasable):
        sizes = smallest_letters(text)
        assert len(sizes) > 4
        assert {title: size for title, size in sizes.items() if size < 7.5} == {}
    small = '<svg viewBox="0 0 732 9" aria-label="x"><text style="font-size: 9px">a</text></svg>'
    assert smallest_letters(small) == {"x": 4.5}


def heights(drawn: str) -> list[float]:
    """Of the bars of a column's chart, in its units."""
    (bars,) = re.findall(r'<path d="([^"]*)" fill="#8cbfdb"', drawn)
    ends = re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", bars)
    return [float(floor) - float(top) for floor, top in ends]


def test_the_tail_of_a_heavy_column_is_seen():
    """One bar has nearly all; the others would be a tenth of a pixel on an axis of shares."""
    shares = np.array([0.999, 5e-4, 3e-4, 2e-4])
    drawn = column_chart("gain", ["0", "9", "99", "999999999"], {"synthetic": shares}, True)
    assert min(heights(drawn)) > 20
    assert "0.001%" in drawn
    plain = column_chart("sex", ["a", "b"], {"synthetic": np.array([0.3, 0.7])}, False)
    assert heights(plain)[1] == pytest.approx(heights(plain)[0] * 7 / 3, rel=0.01)


def test_no_label_of_a_column_leaves_its_picture():
    drawn = column_chart("wage", ["925436"] * 24, {"synthetic": np.full(24, 1 / 24)}, True)
    labels = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)">(\d+)</text>', drawn)
    assert [anchor for _, anchor, _ in labels] == [*["middle"] * 4, "end"]
    assert max(float(x) for x, _, _ in labels) < 250


def test_names_are_text_and_never_markup():
    drawn = column_chart("<b>", ["<i>", "&"], {"s": np.array([0.5, 0.5]), "r": np.array([0.4, 0.6])}, False)
    assert "<b>" not in drawn
    assert "<i>" not in drawn
    assert "&lt;i&gt;" in drawn


def test_a_chart_of_attacks_that_show_nothing_shows_where_they_ended():
    """A bar of length 0 is not seen; its end is marked, with the figure and what a perfect attack would show."""
    drawn = claimed_and_measured({"one": (0.0, 3.0), "two": (0.0, 0.0)}, 1.0, (300, 4.2))
    assert drawn.count(">0.00<") == 3
    assert drawn.count("<use ") >= 2
    assert "most that 300 rows can show" in drawn
