"""Markdown: read back by a CommonMark parser, with the tables of GitHub."""

from __future__ import annotations

import os
from pathlib import Path

import judged
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rnndiag.outputs.reports import markdown
from rnndiag.records import Advice, Outcome

GOLDEN = Path(__file__).parents[1] / "golden"


def rendered(outcome: Outcome, *, verbose: bool = False) -> str:
    return markdown.render(outcome, width=80, color=False, verbose=verbose)


def tokens(text: str) -> list[Token]:
    """All tokens, those inside paragraphs and cells among them."""
    read = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return [inner for token in read for inner in (token, *(token.children or []))]


def shown(token: Token) -> str:
    """The text that a reader sees of a paragraph, a heading or a cell."""
    return "".join(child.content for child in token.children or [])


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, their heads among them."""
    rows: list[list[str]] = []
    inside = False
    for token in tokens(text):
        if token.type == "tr_open":
            rows.append([])
        inside = {"td_open": True, "th_open": True}.get(
            token.type, inside and token.type == "inline"
        )
        if inside and token.type == "inline":
            rows[-1].append(shown(token))
    return rows


@pytest.mark.parametrize("verbose", [False, True])
def test_golden_output(verbose: bool) -> None:
    golden = GOLDEN / f"advise_markdown{'_verbose' if verbose else ''}.md"
    text = rendered(judged.everything(), verbose=verbose)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("verbose", [False, True])
def test_hostile_names_are_text_and_nothing_else(verbose: bool) -> None:
    read = tokens(rendered(judged.everything(), verbose=verbose))
    kinds = {token.type for token in read}
    assert not kinds & {"html_inline", "link_open", "image", "em_open", "hr", "code_block"}
    html = "".join(token.content for token in read if token.type == "html_block")
    assert "<i>" not in html
    assert html.count("<details>") == html.count("</details>") > 0
    name = judged.LAYER.translate({0x1B: "\ufffd", 0: "\ufffd", 0xDCFF: "\ufffd", 0x0A: " "})
    assert f"{name}#1/forward" in {t.content for t in read if t.type == "code_inline"}


def test_the_table_has_a_row_for_each_finding_and_known_ones_last() -> None:
    head, *rows = cells(rendered(judged.everything()))
    assert head == ["severity", "confidence", "rule", "where", "finding"]
    assert [(row[0], row[2].split()[0]) for row in rows] == [
        ("error", "RNN101"),
        ("error", "RNN101"),
        ("warning", "RNN202"),
        ("warning", "RNN601"),
        ("note", "RNN410"),
        ("note", "RNN999"),
        ("error (known)", "RNN202"),
    ]
    assert {len(row) for row in rows} == {5}
    assert rows[1][3] == "lstm/backward"
    assert rows[4][4].endswith("(warning by the numbers, but on made-up input)")


def test_the_advice_of_three_rules_is_open_and_the_rest_is_folded() -> None:
    codes = ("RNN999", "RNN410", "RNN601", "RNN202", "RNN101")
    findings = [judged.finding(code) for code in codes]
    known = judged.finding("RNN401", known=True)
    text = rendered(Outcome(reports=(judged.report("a.h5", known, *findings),)))
    opened, _, folded = text.partition("<details>")
    assert [code for code in codes if f"#### {code}" in opened] == list(codes[:3])
    assert [code for code in codes if f"#### {code}" in folded] == list(codes[3:])
    assert "#### RNN401" in folded
    assert "<summary>Advice on 3 more rules</summary>" in folded


def test_advice_on_what_is_known_is_folded_even_where_there_is_room() -> None:
    findings = judged.finding(known=True), judged.finding("RNN410")
    opened, _, folded = rendered(Outcome(reports=(judged.report("a.h5", *findings),))).partition(
        "<details>"
    )
    assert "#### RNN410" in opened
    assert "#### RNN101" in folded
    assert "<summary>Advice on 1 more rule</summary>" in folded


def test_one_rule_on_several_layers_is_advised_once_unless_verbose() -> None:
    outcome = Outcome(
        reports=(judged.report("a.h5", judged.finding(), judged.finding(direction="backward")),)
    )
    assert rendered(outcome).count("####") == 1
    assert "The same for `lstm/backward`" in rendered(outcome)
    assert rendered(outcome, verbose=True).count("####") == 2


@pytest.mark.parametrize("snippet", [judged.DECAY.snippet, 'text = """\n```\n~~~\n\n# h\n"""'])
def test_snippets_are_fenced_within_their_step(snippet: str) -> None:
    steps = (Advice(text="do *this*", source="A", snippet=snippet), judged.NORMALIZE)
    finding = judged.finding(advice=steps)
    read = tokens(rendered(Outcome(reports=(judged.report("a.h5", finding),))))
    (fence,) = [token for token in read if token.type == "fence"]
    assert (fence.info, fence.content) == ("python", f"{snippet}\n")
    assert fence.level == 2
    assert [token.type for token in read].count("list_item_open") == 2
    assert "do *this* (A)" in [shown(token) for token in read if token.type == "inline"]


def test_evidence_that_is_empty_or_not_known_is_left_out() -> None:
    evidence = {"dead_units": [1, 2], "constant_units": [], "source": "", "rate": None, "steps": 0}
    finding = judged.finding(evidence=evidence)
    text = rendered(Outcome(reports=(judged.report("a.h5", finding),)))
    assert "Evidence: `dead_units` 1, 2; `steps` 0\n" in text


def test_the_counts_and_what_verbose_adds() -> None:
    text = rendered(judged.clean())
    assert text.startswith("## rnndiag: no findings\n\n### `model.h5`\n")
    assert "\n1 rule passed, 1 skipped\n" in text
    assert "<details>" not in text
    assert text.endswith("exit status 0\n")
    more = rendered(judged.clean(), verbose=True)
    assert "- RNN601 overfitting: `lstm/forward`" in more
    reason = "the decay is not known: give --context FILE"
    assert f"- RNN401 no-weight-decay, `network`: {reason}" in more


def test_what_could_not_be_judged_is_said_whether_or_not_verbose() -> None:
    text = rendered(judged.everything())
    heading = "## rnndiag: 2 errors, 2 warnings, 2 notes, 1 known, 1 not read, 1 without"
    assert text.startswith(heading)
    read = [shown(token) for token in tokens(text) if token.type == "inline"]
    assert "Not read: gone.h5: no such file (check the path)" in read
    assert "error, network: no recurrent layer could be analysed, so nothing was judged" in read
    assert "warning, custom: a cell that rnndiag does not know" in read
    assert any("RNN410 normalization-missing: internal error: KeyError" in line for line in read)
    assert any("synthetic probe" in line for line in read)


@pytest.mark.parametrize("text", ["a`b", "`", "``a", " a", "a|b", "a\nb", "", "\\", "*a*"])
def test_code_spans_hold_any_name(text: str) -> None:
    (found,) = [
        token for token in tokens(f"x {markdown.code(text)} y") if token.type == "code_inline"
    ]
    assert found.content == text.replace("\n", " ") or text == ""


@pytest.mark.parametrize(
    "text", ["<b>&amp;", "a_b_c *d* ~~e~~", "[x](y) ![z](w)", "`c`", "1 < 2 > 0", "a\\b", "$x$"]
)
def test_escaped_text_reads_as_it_was(text: str) -> None:
    read = tokens(f"x {markdown.escaped(text)}")
    assert shown(read[1]) == f"x {text}"
    assert {token.type for token in read[1].children or []} <= {"text", "text_special"}
