"""The page as Markdown, read back by a CommonMark parser with GitHub's tables."""

from __future__ import annotations

from dataclasses import replace

import hostile_pages
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rnndiag.publishing import markdown
from rnndiag.publishing.base import Page, Section, Shown


def tokens(text: str) -> list[Token]:
    read = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return [inner for token in read for inner in (token, *(token.children or []))]


@pytest.fixture(scope="module")
def read() -> list[Token]:
    return tokens(markdown.render(hostile_pages.page()))


def test_whatever_a_name_holds_is_text(read: list[Token]) -> None:
    kinds = {token.type for token in read}
    assert kinds.isdisjoint({"html_inline", "html_block", "link_open", "em_open", "hr", "fence"})
    plain = [token.content for token in read if token.type == "text"]
    assert hostile_pages.TEXT in "".join(plain)
    places = [token.content for token in read if token.type == "code_inline"]
    assert places == [f"{hostile_pages.TEXT}/forward"]


def test_every_picture_has_its_file_and_its_text(read: list[Token]) -> None:
    images = [token for token in read if token.type == "image"]
    assert [image.attrs["src"] for image in images] == list(hostile_pages.PICTURES)
    alts = ["".join(child.content for child in image.children or []) for image in images]
    assert alts == [f"{hostile_pages.TEXT} {file}" for file in hostile_pages.PICTURES]


def test_a_table_keeps_its_columns(read: list[Token]) -> None:
    assert sum(token.type == "th_open" for token in read) == 2
    assert sum(token.type == "td_open" for token in read) == 2


def test_headings_are_those_of_the_page_alone(read: list[Token]) -> None:
    assert [token.tag for token in read if token.type == "heading_open"] == [
        *("h1", "h2", "h3", "h2")
    ]


@pytest.mark.parametrize("start", ["# a", "1. a", "1) a", "- a", "+ a", "> a", "---", "===", "=="])
def test_what_begins_like_a_block_begins_none(start: str) -> None:
    section = Section(title="s", text=("first", start), points=(start, start))
    page = Page(title="t", about=("one", start), verdict="v", sections=(section,))
    read = tokens(markdown.render(page))
    assert sum(token.type == "heading_open" for token in read) == 2
    assert sum(token.type == "list_item_open" for token in read) == 2
    kinds = {token.type for token in read}
    assert kinds.isdisjoint({"ordered_list_open", "blockquote_open", "hr"})


def test_empty_parts_leave_no_empty_lines() -> None:
    shown = Shown(file="a.png", title="A", caption="how", alt="what", size=(1, 1))
    page = Page(title="t", about=(), verdict="v", sections=(Section(title="s", pictures=(shown,)),))
    assert markdown.render(page) == "# t\n\n**v**\n\n## s\n\n![what](a.png)\n\n**A.** how\n"


def test_what_is_said_alike_of_several_layers_stands_once() -> None:
    first = replace(hostile_pages.finding("dull"), layer="lstm")
    second = replace(first, direction="backward")
    other = replace(first, layer="gru", message="something else")
    section = Section(title="Findings", findings=(first, other, second))
    text = markdown.render(Page(title="t", about=(), verdict="v", sections=(section,)))
    assert text.count("### ") == 2
    assert "`lstm/forward, lstm/backward`" in text
