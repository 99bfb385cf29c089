"""What the page on one checkpoint tells first, and that it tells no place on somebody's disk."""

from __future__ import annotations

from dataclasses import replace

import hostile_pages
from rule_reports import report

from rnndiag import judging
from rnndiag.publishing import checkpoint
from rnndiag.records import Judgement, Policy


def test_measured_findings_stand_before_settings_of_the_same_severity() -> None:
    plain = hostile_pages.finding("dull")
    given = (
        replace(plain, rule="RNN401", severity="note", confidence="high"),
        replace(plain, rule="RNN402", severity="warning", confidence="high"),
        replace(plain, rule="RNN204", severity="note", confidence="low"),
        replace(plain, rule="RNN103", severity="warning", confidence="low"),
    )
    judged = replace(report(), judgement=Judgement(findings=given))
    (section,) = [own for own in checkpoint.page(judged, ()).sections if own.findings]
    assert [own.rule for own in section.findings] == ["RNN103", "RNN402", "RNN204", "RNN401"]


def test_the_head_has_the_files_name_alone() -> None:
    made = judging.judge(report(), Policy())
    far = replace(made, checkpoint=replace(made.checkpoint, path="/home/me/run/model.h5"))
    page = checkpoint.page(far, ())
    assert page.title == "model.h5"
    assert not any("/home/me" in line for line in page.about)
