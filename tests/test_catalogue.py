"""`rnndiag rules` and `rnndiag explain`: the catalogue on the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from advise_runs import ROOT, run
from cited_documents import SECTIONS
from click.testing import Result

from rnndiag import explaining, rule_docs, rules
from rnndiag.explaining import TITLES
from rnndiag.rules.base import HEADINGS, Thresholds

RULES = rules.catalogue()
ELI5, SOURCES = HEADINGS[-2:]


def printed(*arguments: object) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def words(text: str) -> str:
    """`text` without its line breaks and indents, and with code in one backtick."""
    return " ".join(text.replace("``", "`").split())


# ---------------------------------------------------------------- rules


def test_the_table_has_every_rule_by_family() -> None:
    text = printed("rules")
    rows = re.findall(r"^(RNN\d{3})  (error|warning|note) +(\S+):", text, re.MULTILINE)
    assert rows == [
        (code, module.RULE.severity, rules.name_of(module)) for code, module in RULES.items()
    ]
    families = [line for line in text.splitlines() if line[:1].islower()]
    assert families == list(dict.fromkeys(module.RULE.family for module in RULES.values()))
    flat = words(text).lower()
    assert all(rule_docs.of(module).summary.lower() in flat for module in RULES.values())


def test_rows_hang_from_their_names() -> None:
    wrapped = [line for line in printed("rules").splitlines() if line.startswith(" ")]
    assert wrapped
    assert {len(line) - len(line.lstrip()) for line in wrapped} == {len("RNN101  warning  ")}


def test_the_json_says_all_of_every_rule() -> None:
    text = printed("rules", "--format", "json")
    assert text.isascii(), "whatever encoding stdout has, it is UTF-8"
    found = {rule["code"]: rule for rule in json.loads(text)}
    assert list(found) == list(RULES)
    for code, module in RULES.items():
        doc, rule = rule_docs.of(module), found[code]
        assert rule["name"] == rules.name_of(module)
        assert rule["summary"] == doc.summary
        assert list(rule["explanation"]) == list(HEADINGS)
        assert rule["sources"] == list(doc.sources)
        cuts = getattr(module, "Cuts", Thresholds).cuts()
        told = [(cut["name"], cut["default"], cut["unit"]) for cut in rule["thresholds"]]
        assert told == [(name, cut.default, cut.unit) for name, cut in cuts.items()]


def test_the_markdown_is_one_table() -> None:
    head, line, *rows = printed("rules", "--format", "markdown").splitlines()
    assert line == "|" + "---|" * head.strip("|").count("|") + "---|"
    assert [row.split(" | ")[0] for row in rows] == [f"| {code}" for code in RULES]
    for row in rows:
        assert row.count(" | ") == head.count(" | ")
        # Papers stay out, whatever letter their authors begin with.
        for source in row.rpartition(" | ")[2].removesuffix(" |").split("; "):
            document, _, section = source.partition(": ")
            assert section in SECTIONS[document], row


def test_a_format_that_there_is_not() -> None:
    result = run("rules", "--format", "xml")
    assert (result.exit_code, result.stdout) == (2, "")


# ---------------------------------------------------------------- explain


@pytest.mark.parametrize("code", RULES)
def test_an_explanation_says_all_but_the_simplest(code: str) -> None:
    module = RULES[code]
    text, doc = printed("explain", code), rule_docs.of(module)
    flat = words(text)
    assert flat.lower().startswith(f"{code} {rules.name_of(module)}: {doc.summary}".lower())
    for heading in set(HEADINGS) - {ELI5, SOURCES}:
        assert f"\n\n{heading}\n  " in text
        assert all(words(line) in flat for line in doc.sections[heading].splitlines())
    assert words(doc.sections[ELI5]) not in flat
    for name, cut in getattr(module, "Cuts", Thresholds).cuts().items():
        assert words(f"{name} {cut.default:g} {cut.unit} {cut.source}") in flat


@pytest.mark.parametrize("code", RULES)
def test_every_source_stands_with_its_document(code: str) -> None:
    text = printed("explain", code)
    block = text.partition("\nSources\n")[2].partition("\n\n")[0]
    items = [words(item) for item in block.split("\n  - ")]
    items[0] = items[0].removeprefix("- ")
    for source in rule_docs.of(RULES[code]).sources:
        key, _, section = source.partition(": ")
        if key in TITLES:
            (own,) = (item for item in items if item.startswith(f"{key}, {TITLES[key]}: "))
            assert section in own.removeprefix(f"{key}, {TITLES[key]}: ").split(", ")
        else:
            assert words(source) in items


@pytest.mark.parametrize("eli5", [False, True])
@pytest.mark.parametrize(("width", "used"), [(80, 80), (200, 96)])
def test_explanations_fit(width: int, used: int, eli5: bool) -> None:
    for code in RULES:
        text = explaining.explanation(code, eli5=eli5, width=width, color=False)
        assert max(map(len, text.splitlines())) <= used, code
        assert all(line == line.rstrip() for line in text.splitlines())
        assert not text.endswith("\n\n")


def test_items_of_lists_hang_from_their_marks() -> None:
    steps = printed("explain", "RNN101").partition("\nWhat to do\n")[2].partition("\n\n")[0]
    lines = steps.splitlines()
    assert [line[:5] for line in lines if line[2].isdigit()] == ["  1. ", "  2. ", "  3. ", "  4. "]
    assert all(line.startswith(" " * 5) for line in lines if not line[2].isdigit())


@pytest.mark.parametrize("code", RULES)
def test_eli5_is_short(code: str) -> None:
    title, *rest = printed("explain", code, "--eli5").split("\n\n")
    assert title.startswith(code)
    assert words(" ".join(rest)) == words(rule_docs.of(RULES[code]).sections[ELI5])


@pytest.mark.parametrize(
    "wanted", ["RNN101", "rnn101", " RNN101 ", "vanishing-gradient", "Vanishing_Gradient"]
)
def test_a_rule_goes_by_code_and_name(wanted: str) -> None:
    assert printed("explain", wanted) == printed("explain", "RNN101")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("vanishing-gradent", "did you mean vanishing-gradient"),
        ("gradient", "did you mean vanishing-gradient, exploding-gradient?"),
        ("RNN1011", "RNN101"),
        ("RNN20", "did you mean RNN201, RNN202, RNN203?"),
        ("zzz", "`rnndiag rules` lists them"),
        ("", "`rnndiag rules` lists them"),
    ],
)
def test_a_misspelt_rule_gets_the_nearest(wanted: str, hint: str) -> None:
    result: Result = run("explain", wanted)
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first == f"rnndiag: there is no rule {wanted!r}"
    assert hint in second


# ---------------------------------------------------------------- terminals


@pytest.mark.parametrize("text", ["table", "explanation"])
def test_color_changes_no_word(text: str) -> None:
    def shown(color: bool) -> str:
        if text == "table":
            return explaining.rule_table(width=80, color=color)
        return explaining.explanation("RNN101", eli5=False, width=80, color=color)

    assert "\x1b[1m" in shown(True)
    assert re.sub(r"\x1b\[\d+m", "", shown(True)) == shown(False)


@pytest.mark.parametrize("arguments", [["rules"], ["explain", "RNN201"], ["explain", "RNN204"]])
def test_a_stdout_that_knows_few_characters(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "rnndiag", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) > 20


def test_a_summary_that_begins_with_a_name_keeps_its_capitals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("rnndiag.rules.made_up")
    module.__doc__ = (
        f"RNN cells are odd.\n\n{chr(10).join(f'{name}{chr(10)}x' for name in HEADINGS)}"
    )
    module.RULE = RULES["RNN101"].RULE  # type: ignore[attr-defined]
    monkeypatch.setattr(rules, "catalogue", lambda: {"RNN101": module})
    assert "made-up: RNN cells are odd\n" in explaining.rule_table(width=80, color=False)


def test_rules_can_be_read_where_nothing_else_is_installed(tmp_path: Path) -> None:
    """Neither rich, which takes long to load, nor what measures."""
    code = (
        "import sys\nfrom rnndiag.cli import main\n"
        "try:\n    main(['rules'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(' '.join(n for n in ('rich', 'numpy', 'torch', 'msgspec') if n in sys.modules))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
        check=False,
    )
    assert done.stderr.strip() == ""
