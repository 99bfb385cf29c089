"""The page in a real browser: no error, no request, every picture, no scrolling sideways."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from advise_runs import FAST, SAMPLES, run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LONG = "encoder.a_block_whose_name_nobody_ever_thought_would_have_to_fit_on_a_phone.rnn"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        # A root user's browser has no sandbox to run in; it sees nothing but our own page.
        own = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield own
        own.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a sample, of a network with a very long name, and of a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    torch.manual_seed(0)
    states = (torch.nn.LSTM(3, 4, bidirectional=True).state_dict() for _ in range(2))
    first, second = folder / "before.pt", folder / f"{LONG[:60]}.pt"
    for path, state in zip((first, second), states, strict=True):
        torch.save({f"{LONG}.{name}": own for name, own in state.items()}, path)
    gru = SAMPLES / "adding_gru"
    told = ("--probe", f"{gru}.probe.npz", "--history", f"{gru}.history.csv")
    calls = {
        "sample": ("report", f"{gru}.h5", *told),
        "long names": ("report", second, *FAST, "--fail-on", "never"),
        "comparison": ("compare", first, second, *FAST),
    }
    for name, arguments in calls.items():
        result = run(*arguments, "-q", "-o", folder / name)
        assert result.exit_code == 0, result.output
    return {name: folder / name / "index.html" for name in calls}


@dataclass
class Seen:
    """What a browser has to say of a page."""

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def opened(browser: Any, path: Path, width: int, scheme: str) -> tuple[Any, Seen]:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Seen()
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.messages.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    return page, seen


PAGES = ("sample", "long names", "comparison")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_a_page_is_whole_and_fits(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    page, seen = opened(browser, pages[name], width, scheme)
    assert seen.messages == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [pages[name].as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_loads_and_is_described(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    page, _ = opened(browser, pages[name], 390, "light")
    images = page.evaluate(
        "Array.from(document.images, i => [i.complete, i.naturalWidth, i.width, i.alt])"
    )
    assert len(images) == len(list(pages[name].parent.glob("*.png"))) > 0
    for complete, natural, width, alt in images:
        assert complete
        assert natural > 0
        assert 200 < width < 390
        assert len(alt.split()) > 4
    page.close()


def test_dark_and_light_pages_differ(browser: Any, pages: dict[str, Path]) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        page, _ = opened(browser, pages["sample"], 390, scheme)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(grounds) == 2


def test_links_within_the_page_lead_somewhere(browser: Any, pages: dict[str, Path]) -> None:
    page, _ = opened(browser, pages["sample"], 1400, "light")
    lost = page.evaluate(
        "Array.from(document.querySelectorAll('a'), a => a.getAttribute('href'))"
        ".filter(h => !h.startsWith('#') || !document.querySelector(h))"
    )
    assert [href for href in lost if not (pages["sample"].parent / href).is_file()] == []
    page.close()
