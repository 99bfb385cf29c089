"""The page: what names hold is text, nothing is fetched, every picture is within."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import hostile_pages
import pytest

from rnndiag.publishing import html
from rnndiag.publishing.base import Page

ADDRESSED = ("src", "href", "srcset", "action", "data", "poster", "background", "style")
"""Attributes by which a page makes a browser fetch something."""


class Read(HTMLParser):
    """The tags of a page and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "link", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = hostile_pages.folder(tmp_path_factory.mktemp("hostile"))
    return html.render(hostile_pages.page(), folder)


def test_whatever_a_name_holds_is_text(rendered: str) -> None:
    read = Read(rendered)
    assert read.open == []
    assert read.all("script") == []
    shown = "".join(read.text)
    # Title, heading, verdict, about, twice in the contents, in headings, captions, …
    assert shown.count(hostile_pages.TEXT) >= 15
    assert "49" not in shown
    alts = [image["alt"] for image in read.all("img")]
    assert alts == [f"{hostile_pages.TEXT} {file}" for file in hostile_pages.PICTURES]


def test_every_picture_is_within(rendered: str, tmp_path: Path) -> None:
    folder = hostile_pages.folder(tmp_path)
    images = Read(rendered).all("img")
    for image, file in zip(images, hostile_pages.PICTURES, strict=True):
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data) == (folder / file).read_bytes()
        assert (image["width"], image["height"]) == ("8", "4")


def test_nothing_is_fetched(rendered: str) -> None:
    read = Read(rendered)
    for tag, attributes in read.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ADDRESSED:
            address = attributes.get(name, "data:")
            followed = tag == "a" and address in hostile_pages.PICTURES
            assert followed or address.startswith(("data:", "#part-")), (tag, attributes)
    (style,) = re.findall(r"<style>(.*?)</style>", rendered, re.DOTALL)
    assert not re.search(r"url\(|@import|https?:", style)
    assert {"iframe", "object", "embed", "form"}.isdisjoint(tag for tag, _ in read.tags)


def test_a_policy_forbids_what_a_mistake_might_let_in(rendered: str) -> None:
    (policy,) = [own for own in Read(rendered).all("meta") if "http-equiv" in own]
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(part.split(maxsplit=1) for part in policy["content"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert set(rules) == {"default-src", "img-src", "style-src"}


def test_the_contents_lead_to_every_part(rendered: str) -> None:
    read = Read(rendered)
    within = [own["href"] for own in read.all("a") if own["href"].startswith("#")]
    assert within == ["#part-1", "#part-2"]
    assert [own["id"] for own in read.all("section")] == ["part-1", "part-2"]


def test_every_picture_leads_to_its_file(rendered: str) -> None:
    links = [own["href"] for own in Read(rendered).all("a")]
    assert [link for link in links if not link.startswith("#")] == list(hostile_pages.PICTURES)


def test_a_wide_table_scrolls_and_its_caption_does_not(rendered: str) -> None:
    read = Read(rendered)
    assert read.all("caption") == []
    ((attributes),) = [own for own in read.all("div") if own.get("class") == "wide"]
    assert attributes["tabindex"] == "0"
    assert [own for own in read.all("p") if own.get("class") == "told"] == [{"class": "told"}]


def test_paper_shows_what_is_folded(rendered: str) -> None:
    _, printed = rendered.split("@media print")
    assert "details::details-content { content-visibility: visible;" in printed


def test_a_page_without_anything(tmp_path: Path) -> None:
    empty = Page(title="t", about=(), verdict="v", sections=())
    assert Read(html.render(empty, tmp_path)).all("section") == []


def test_half_a_character_does_not_break_the_page(tmp_path: Path) -> None:
    page = Page(title="a\udcffb", about=(), verdict="v", sections=())
    assert "a" in html.render(page, tmp_path)
