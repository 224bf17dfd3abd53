"""The report page: self-contained, escaped, and right in its figures."""

from html.parser import HTMLParser

import pytest

from templates.renderer import render_report
from templates.report import (
    DroppedModel,
    HardRow,
    LabelCount,
    ReportCost,
    ReportData,
    ReportDecision,
    ReportFile,
    ReportModel,
    ReportSearch,
    ReportStage,
    format_count,
    format_dollars,
    format_parameters,
    format_percent,
    plot_stages,
    shorten,
)

STAGES = (
    ReportStage(stage=0, rows=300, unanimous=0.5, reviewed=60, spot_checked=6, changed=12, promoted=0, rejected=0),
    ReportStage(stage=1, rows=100, unanimous=0.9, reviewed=4, spot_checked=2, changed=1, promoted=2, rejected=1),
)


def make_report(text: str = "plain", **changes: object) -> ReportData:
    """A report every text of which is, or holds, `text`."""
    report = ReportData(
        run_id=text,
        created=text,
        sentence=text,
        labels=(text,),
        text_columns=(text,),
        data=text,
        controller=text,
        language_model=False,
        hub=text,
        sandbox=text,
        rows=400,
        unlabelled=1,
        label_counts=(LabelCount(label=text, rows=399),),
        search=ReportSearch(seen=40, requests=33, auditioned=6, rows=200, truth=text, reason=text),
        models=(
            ReportModel(
                name=text,
                revision="0123456789abcdef",
                parameters=22_713_986,
                licence=text,
                reason=text,
                audition=text,
                label_map="corrected",
                cost=text,
                agreement=0.91,
                version=1,
                left_at=1,
                left_because=text,
            ),
        ),
        dropped=(DroppedModel(name=text, reason=text),),
        stages=STAGES,
        decisions=(
            ReportDecision(stage=0, decision=text, evidence={text: 0.25}, reason=text, applied=False, note=text),
        ),
        cost=ReportCost(requests=12, prompt_tokens=3456, completion_tokens=78, usd=None, note=text),
        certificate=text,
        certificate_reason=text,
        hardest=(HardRow(id=text, text=text, label=text, source=text, risk=0.4, votes={text: text}, reason=text),),
        notices=(text,),
        settings={text: text},
        folder=text,
        files=(ReportFile(path=text, content=text),),
    )
    return ReportData.model_validate({**report.model_dump(), **changes})


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data + " "


def read_page(report: ReportData) -> Page:
    return Page(render_report(report).text)


def test_page_loads_nothing() -> None:
    page = read_page(make_report())
    assert {"script", "link", "img", "iframe", "object", "embed", "base"}.isdisjoint({tag for tag, _ in page.elements})
    html = render_report(make_report()).text
    for word in ("http://", "https://", "//", "url(", "@import", "javascript:"):
        assert word not in html
    policies = [attributes for tag, attributes in page.elements if attributes.get("http-equiv")]
    assert [policy["content"] for policy in policies] == ["default-src 'none'; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", "'\"><b onload=alert(1)>", "{{ 7 * 7 }}</style>&amp;"])
def test_every_text_is_escaped(nasty: str) -> None:
    plain, page = (read_page(make_report(text, language_model=True)) for text in ("plain", nasty))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert [attributes for _, attributes in page.elements] == [attributes for _, attributes in plain.elements]
    shown = " ".join(page.words.split()).casefold()
    places = " ".join(plain.words.split()).casefold().count("plain")
    assert shown.count(nasty.casefold()) == places - ("/" in nasty)  # a vote shows a name without its owner


def test_page_says_that_there_is_no_language_model() -> None:
    assert "No language model." in read_page(make_report()).words
    assert "No language model." not in read_page(make_report(language_model=True)).words


def test_decisions_are_told_with_their_evidence_and_why_they_were_not_done() -> None:
    decision = ReportDecision(
        stage=3, decision="drop a/b", evidence={"stage.rows": 400}, reason="It fails.", applied=False, note="the last"
    )
    words = " ".join(read_page(make_report(decisions=(decision,))).words.split())
    assert "Stage 3 drop a/b not done the last It fails. stage.rows 400" in words
    assert "Result critic" not in read_page(make_report(decisions=())).words


def test_rows_whose_review_came_to_nothing_are_counted() -> None:
    words = " ".join(read_page(make_report(reviews_failed=3, reviews_undecided=1)).words.split())
    assert "Review failed: 3 rows keep their vote." in words
    assert "The reviewer cannot tell: 1 row keeps its vote." in words
    assert "Review failed" not in read_page(make_report()).words


def test_totals_weigh_the_stages_by_their_rows() -> None:
    report = make_report()
    assert report.unanimous == pytest.approx(0.6)
    assert (report.reviewed, report.changed, report.promoted, report.rejected) == (72, 13, 2, 1)
    words = " ".join(read_page(report).words.split())
    for shown in ("60 % of rows: all specialists agree", "18 % of rows reviewed, 13 changed", "2 fine-tunes promoted"):
        assert shown in words
    assert "399 rows labelled; 1 without a label" in words
    assert "– cost unknown" in words


def test_chart_places_a_stage_in_the_middle_of_its_column() -> None:
    first, second = plot_stages(STAGES)
    assert (first.x, first.unanimous, first.reviewed) == (25.0, 50.0, 22.0)
    assert (second.x, second.unanimous, second.reviewed) == (75.0, 90.0, 6.0)


@pytest.mark.parametrize("stages", [(), STAGES[:1], STAGES * 200])
def test_any_number_of_stages_can_be_drawn(stages: tuple[ReportStage, ...]) -> None:
    page = read_page(make_report(stages=stages))
    assert sum(tag == "rect" for tag, _ in page.elements) == len(stages)
    assert sum(tag == "polyline" for tag, _ in page.elements) == (len(stages) > 1)
    assert sum(attributes.get("class") == "axis" for _, attributes in page.elements) <= 12


def test_run_without_rows_or_hard_rows_has_a_report() -> None:
    page = read_page(make_report(rows=0, unlabelled=0, stages=(), hardest=(), label_counts=(), dropped=()))
    assert "The hardest rows" not in page.words


def test_wording_of_figures() -> None:
    shares = [format_percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0.0, 1e-5, 0.034, 0.5, 1.0)]
    assert shares == ["0 %", "<0.1 %", "3.4 %", "50 %", "100 %"]
    assert format_count(1234567) == "1,234,567"
    assert [format_dollars(usd) for usd in (0.0, 0.0132, 1234.5)] == ["$0.00", "$0.0132", "$1,234.50"]
    sizes = [format_parameters(number) for number in (None, 912_345, 7_000_000_000)]
    assert sizes == ["size unknown", "0.9 M parameters", "7.0 B parameters"]


def test_long_texts_are_shortened() -> None:
    assert shorten("one\n two", 20) == "one two"
    assert shorten("abcdefghij", 5) == "abcd…"
    assert len(shorten("word " * 30_000)) <= 320
    assert shorten(" " * 100_000 + "late", 10) == "…"
