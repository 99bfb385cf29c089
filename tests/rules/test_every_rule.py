"""What holds for every rule: its form, its sources, and that no section goes without one."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType

import pytest
from cited_documents import SECTIONS

from rnndiag import asking, rule_docs, rules
from rnndiag.errors import BadOption
from rnndiag.rules.base import HEADINGS, Thresholds

NAMES = {
    "RNN101": "vanishing-gradient",
    "RNN102": "exploding-gradient",
    "RNN103": "memory-shorter-than-lag",
    "RNN104": "carried-context",
    "RNN201": "dead-units",
    "RNN202": "extreme-activations",
    "RNN203": "stuck-gates",
    "RNN204": "dominant-unit",
    "RNN301": "non-finite-values",
    "RNN302": "bias-dominates",
    "RNN303": "kernel-recurrent-imbalance",
    "RNN304": "bias-outgrows-kernels",
    "RNN305": "decay-too-weak",
    "RNN306": "decay-too-strong",
    "RNN401": "no-weight-decay",
    "RNN402": "same-decay-for-kernel-and-recurrent",
    "RNN403": "bias-decay-missing",
    "RNN404": "decay-out-of-range",
    "RNN405": "adam-with-l2",
    "RNN406": "input-dropout-high",
    "RNN407": "recurrent-dropout-next-step",
    "RNN408": "activity-constraint",
    "RNN409": "batch-norm-is-no-bias",
    "RNN410": "normalization-missing",
    "RNN411": "weight-constraint-advised",
    "RNN412": "optimizer-choice",
    "RNN413": "zoneout-option",
    "RNN414": "residual-option",
    "RNN501": "long-sequences",
    "RNN502": "more-parameters-than-data",
    "RNN503": "input-scale",
    "RNN504": "shuffling",
    "RNN505": "depth-to-offset-linearization",
    "RNN506": "data-split",
    "RNN601": "overfitting",
    "RNN602": "underfitting",
    "RNN603": "unstable-training",
    "RNN604": "trained-past-best",
    "RNN605": "no-validation",
}
"""The catalogue: codes and names that users write into their configuration never change."""

CITED = {
    "RNN101": (
        "A: weight decay 1",
        "A: weight decay 2",
        *(f"A: what to do {n}" for n in (4, 5, 8, 11)),
    ),
    "RNN102": ("A: what to do 6", "A: what to do 9", "B: tuning: unstable"),
    "RNN103": ("A: tip 2",),
    "RNN104": ("A: what to do 12", "A: update"),
    "RNN201": ("A: learning 4", "A: depth vs. width"),
    "RNN202": ("A: weight decay 1", "B: normalization"),
    "RNN203": ("A: what to do 9",),
    "RNN204": ("A: learning 4",),
    "RNN302": ("A: what to do 9",),
    "RNN303": ("A: what to do 1",),
    "RNN304": ("A: what to do 9",),
    "RNN305": ("A: weight norm tracking",),
    "RNN306": ("A: weight norm tracking",),
    "RNN401": ("A: what to do 1", "B: checklist"),
    "RNN402": ("A: what to do 1", "A: weight decay 3"),
    "RNN403": ("A: what to do 9",),
    "RNN404": ("A: what to do 1", "B: checklist"),
    "RNN405": ("A: bonus",),
    "RNN406": ("A: dropout", "B: checklist"),
    "RNN407": ("A: what to do 3",),
    "RNN408": ("A: activity constraints", "A: what to do 7"),
    "RNN409": ("A: what to do 9",),
    "RNN410": ("A: what to do 4", "A: what to do 5", "A: what to do 11", "B: checklist"),
    "RNN411": ("A: what to do 6", "A: weight constraints"),
    "RNN412": ("A: what to do 13",),
    "RNN413": ("A: what to do 10",),
    "RNN414": ("A: what to do 8",),
    "RNN501": ("A: tip 2",),
    "RNN502": ("B: core problem", "B: tuning: overfits"),
    "RNN503": ("B: normalization",),
    "RNN504": ("A: what to do 12",),
    "RNN505": ("A: weight decay 2", "A: depth vs. width"),
    "RNN506": ("B: checklist",),
    "RNN601": ("B: tuning: overfits",),
    "RNN602": ("B: tuning: underfits",),
    "RNN603": ("B: tuning: unstable",),
    "RNN604": ("B: early stopping",),
    "RNN605": ("B: insight 2",),
}
"""The sections that each rule was made from, and has to name."""

MODULES = list(rules.catalogue().values())
every_rule = pytest.mark.parametrize("module", MODULES, ids=rules.name_of)


def test_the_catalogue_is_whole() -> None:
    assert {code: rules.name_of(m) for code, m in rules.catalogue().items()} == NAMES


def test_every_section_of_the_documents_has_a_rule() -> None:
    cited = {source for module in MODULES for source in rule_docs.of(module).sources}
    wanted = {f"{document}: {section}" for document, own in SECTIONS.items() for section in own}
    assert wanted - cited == set()


@every_rule
def test_the_docstring_has_every_heading_with_text(module: ModuleType) -> None:
    doc = rule_docs.of(module)
    assert tuple(doc.sections) == HEADINGS
    assert all(len(text.strip()) > 20 for text in doc.sections.values())
    assert 20 <= len(doc.summary) <= 90
    assert (module.__doc__ or "").splitlines()[0].endswith(".")
    assert re.match(r"1\. ", doc.sections["What to do"].lstrip())


@every_rule
def test_sources_are_sections_or_papers(module: ModuleType) -> None:
    known = {f"{document}: {section}" for document, own in SECTIONS.items() for section in own}
    for source in rule_docs.of(module).sources:
        paper = re.search(r"\b(19|20)\d\d\b", source)
        assert source in known or paper, source
    assert set(CITED.get(module.RULE.code, ())) <= set(rule_docs.of(module).sources)


@every_rule
def test_every_threshold_has_a_unit_and_a_source(module: ModuleType) -> None:
    for name, cut in getattr(module, "Cuts", Thresholds).cuts().items():
        assert cut.unit, name
        assert len(cut.source) > 5, name


@every_rule
def test_a_rule_asks_only_for_facts_that_there_are(module: ModuleType) -> None:
    for _, wanted, _ in asking._parameters(module.check):
        assert callable(asking._provider(wanted))


@every_rule
def test_a_rule_has_a_test_file_of_its_own(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    tests = importlib.import_module(f"test_{name}")
    named = {key for key, value in vars(tests).items() if inspect.isfunction(value)}
    assert [key for key in named if "quiet" in key], "a test that the rule stays quiet"
    assert [key for key in named if "fires" in key or "warn" in key], "a test that it fires"


@pytest.mark.parametrize("wanted", ["RNN101", "rnn101", "vanishing-gradient", "Vanishing_Gradient"])
def test_rules_are_found_by_code_and_name(wanted: str) -> None:
    assert rules.find(wanted) == "RNN101"


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("vanishing-gradients", "vanishing-gradient"),
        ("RNN2022", "RNN202"),
        ("overfiting", "overfitting"),
    ],
)
def test_a_misspelt_rule_gets_the_nearest_names(wanted: str, near: str) -> None:
    with pytest.raises(BadOption) as raised:
        rules.find(wanted)
    assert near in raised.value.hint


def test_nothing_like_a_rule_points_at_the_list() -> None:
    with pytest.raises(BadOption) as raised:
        rules.find("zzz")
    assert "rnndiag rules" in raised.value.hint
