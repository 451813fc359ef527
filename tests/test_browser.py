"""The pages in a real browser: no errors, sorting, the picker, themes, phones, keyboard, print.

Needs Chromium (Debian: `apt-get install chromium`); skipped where it is not installed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browsing import DESKTOP, PHONE, chromium, needs_browser
from deploying import make_deployment
from synthetic import make_run

from forerun.report import write_comparison, write_report, write_runs_page
from forerun.report.monitor import write_monitor

pytestmark = needs_browser

DARK_PHONE = PHONE | {"color_scheme": "dark"}
NAMES = ["</script><b>bold", "a & b", "x" * 60, "plain", "Ünï¢ode 数", "last one"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report, a comparison and the page of all runs."""
    home = tmp_path_factory.mktemp("pages")
    runs = home / "runs"
    a = make_run(runs, "a", names=NAMES, failed=["LSTM"], levels=[80, 95])
    b = make_run(runs, "b", names=NAMES, models=4, noise=1.5)
    return {
        "report": write_report(a),
        "plain": write_report(b),
        "comparison": write_comparison([a, b], home / "comparison.html"),
        "runs": write_runs_page(runs, home / "runs.html"),
        "monitor": write_monitor(make_deployment(b), home / "monitor.html"),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def troubles() -> list[str]:
    """Errors and warnings of the pages."""
    return []


@pytest.fixture(scope="module")
def shown(browser: Any, pages: dict[str, Path], troubles: list[str]) -> Callable[..., Any]:
    """Return a function that shows a page. Pages stay open, because opening one takes seconds.

    A page has the state that earlier tests left.
    """
    found: dict[str, Any] = {}

    def opened(name: str, **options: Any) -> Any:
        key = f"{name} {options}"
        if key in found:
            return found[key]
        page = browser.new_context(**(DESKTOP | options), offline=True).new_page()
        page.on("console", lambda m: troubles.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        own = ("file:", "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else troubles.append(r.url))
        page.goto(pages[name].as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return found.setdefault(key, page)

    return opened


@pytest.fixture
def show(shown: Callable[..., Any], troubles: list[str]) -> Iterator[Callable[..., Any]]:
    """Show pages; fail the test on errors and warnings."""
    troubles.clear()
    yield shown
    assert troubles == []


def column(page: Any, table: str, number: int) -> list[str]:
    """Return the texts of one column, top to bottom."""
    cells = f"#{table} tbody tr > :nth-child({number})"
    return [str(text) for text in page.locator(cells).all_inner_texts()]


def traces(page: Any, selector: str) -> list[dict[str, Any]]:
    """Return name, first values and color of each line that a chart draws."""
    found = page.evaluate(
        """selector => document.querySelector(selector + ' .plot').data.map(
            t => ({name: t.name, y: t.y, x: t.x, fill: t.fill, color: t.line && t.line.color}))""",
        selector,
    )
    return list(found)


#: Each page in both widths and themes; `make test` uses two pages, as they share most code.
PAGES = [
    *((name, {}) for name in ("report", "comparison", "runs", "monitor")),
    *((name, DARK_PHONE) for name in ("report", "runs")),
    *(pytest.param(name, DARK_PHONE, marks=pytest.mark.long) for name in ("comparison", "monitor")),
]


@pytest.mark.parametrize(("name", "options"), PAGES)
def test_pages_open_fit_and_are_accessible(show: Any, name: str, options: dict[str, Any]) -> None:
    """Accessible by the rules of axe-core: contrast, names, roles, order of headings..."""
    page = show(name, **options)
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) <= 0
    assert not page.locator("#trouble").is_visible()
    page.evaluate(files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []
    assert len(found["passes"]) > 30


def test_leaderboard_sorts_by_mouse_and_keyboard(show: Any) -> None:
    page = show("report")
    errors = [float(v) for v in column(page, "leaderboard-table", 3)[:-1]]
    assert errors == sorted(errors)
    heading = page.locator("#leaderboard-table th", has=page.get_by_text("MAE", exact=True))
    button = heading.get_by_role("button")
    button.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    button.focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    again = column(page, "leaderboard-table", 3)
    assert [float(v) for v in again[:-1]] == errors[::-1]
    assert column(page, "leaderboard-table", 1)[-1] == "LSTM"  # without a value: always last
    assert "descending" in page.locator("#announce").inner_text()


def test_picker_shows_the_series_that_is_named(show: Any) -> None:
    page = show("report")
    shown = traces(page, "[data-explorer]")
    assert any(trace["fill"] == "toself" for trace in shown)  # intervals of the best model
    first = next(trace for trace in shown if trace["name"] == "observed")["y"]
    page.fill("#series", "last")
    page.keyboard.press("Enter")
    assert page.input_value("#series") == "last one"
    other = next(t for t in traces(page, "[data-explorer]") if t["name"] == "observed")["y"]
    assert other != first
    assert len(other) == 72
    assert "last one" in page.locator("#announce").inner_text()
    page.click("#next")
    assert page.input_value("#series") != "last one"
    page.fill("#series", "nothing like it")
    page.keyboard.press("Enter")
    assert page.locator("#announce").inner_text() == "No series called nothing like it"


def test_no_choice_of_intervals_where_there_are_none(show: Any) -> None:
    assert show("report").locator("#intervals-label").is_visible()
    assert not show("plain", color_scheme="dark").locator("#intervals-label").is_visible()


def test_worst_series_lead_to_the_picker(show: Any) -> None:
    page = show("report")
    button = page.locator("[data-series]").last
    button.click()
    assert page.input_value("#series") == button.get_attribute("data-series")


def test_models_can_be_hidden_everywhere(show: Any) -> None:
    page = show("report")
    page.get_by_label("NHITS").uncheck()
    for chart in ("[data-chart=by-model]", "[data-chart=by-step]", "[data-explorer]"):
        assert "NHITS" not in [trace["name"] for trace in traces(page, chart)]
    page.get_by_role("button", name="None").click()
    assert [trace["name"] for trace in traces(page, "[data-explorer]")] == ["observed"]
    page.get_by_role("button", name="All").click()
    assert "ensemble" in [trace["name"] for trace in traces(page, "[data-explorer]")]


def test_charts_have_a_table_and_other_measures(show: Any) -> None:
    page = show("report")
    figure = page.locator("[data-chart=by-model]")
    figure.locator("summary").click()
    figure.locator("tbody tr").first.wait_for()  # a table is made when it is first opened
    assert figure.locator("tbody tr").count() == 4
    assert "MAE" in figure.locator("caption").inner_text()
    figure.locator("select").select_option(label="RMSE")
    assert "RMSE" in figure.locator("caption").inner_text()
    forecasts = page.locator("[data-explorer] details")
    forecasts.locator("summary").click()
    forecasts.locator("tbody tr").first.wait_for()
    assert forecasts.locator("tbody tr").count() == 12
    assert forecasts.locator("tbody th").first.inner_text() == "2021-01-01"


def test_theme_changes_charts_and_page(show: Any) -> None:
    page = show("report")
    back = "getComputedStyle(document.body).backgroundColor"
    light, before = page.evaluate(back), traces(page, "[data-chart=by-step]")[0]["color"]
    page.click("#theme")
    assert page.evaluate(back) != light
    assert traces(page, "[data-chart=by-step]")[0]["color"] != before
    assert page.locator("#theme").inner_text() == "Light theme"
    page.click("#theme")
    assert page.locator("#theme").inner_text() == "Dark theme"
    assert page.evaluate(back) == light


def legend(page: Any, selector: str) -> list[str]:
    """Return the names beside or below a chart."""
    return [str(name) for name in page.locator(f"{selector} .legendtext").all_text_contents()]


def test_print_is_light_and_holds_the_charts(show: Any, tmp_path: Path) -> None:
    page = show("plain", color_scheme="dark")
    assert "NBEATS" in legend(page, "[data-explorer]")
    assert legend(page, "[data-chart=by-step]") == []  # the boxes above show it
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert "NBEATS" in legend(page, "[data-chart=by-step]")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav.top").is_visible()
    assert page.locator("[data-explorer] .on-paper").inner_text() == page.input_value("#series")


def test_everything_has_a_name_for_screen_readers(show: Any) -> None:
    page = show("report", **DARK_PHONE)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
            'button, input, select, [role=region], [role=group]'
        )].filter(e => !(e.innerText || e.getAttribute('aria-label') || e.labels?.length))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for summary in page.locator("summary").all():
        summary.click()  # tables of charts are made when they are first opened
    assert page.evaluate("[...document.querySelectorAll('th')].every(e => e.innerText.trim())")
    landmarks = page.evaluate(
        """[...document.querySelectorAll('section, [role=region]')].map(
            e => e.getAttribute('aria-label')
                || document.getElementById(e.getAttribute('aria-labelledby')).innerText)"""
    )
    assert len(landmarks) == len(set(landmarks)) > 10


def test_names_are_shown_as_they_are(show: Any) -> None:
    page = show("report")
    assert "</script><b>bold" in page.locator("[data-series]").all_inner_texts()
    assert page.locator("main b").count() == 0


def test_comparison_selects_a_metric_and_overlays_forecasts(show: Any) -> None:
    page = show("comparison")
    shown = page.locator("#difference-table tbody tr:visible")
    assert set(shown.locator("td:nth-child(3)").all_inner_texts()) == {"MAE"}
    page.locator("select[data-only]").select_option("rmse")
    assert set(shown.locator("td:nth-child(3)").all_inner_texts()) == {"RMSE"}
    names = {trace["name"] for trace in traces(page, "[data-explorer]") if trace["name"]}
    assert {name.split(" ")[0] for name in names} == {"a", "b", "observed"}


def test_the_last_column_of_the_leaderboard_is_on_a_laptop(show: Any) -> None:
    """Seven metrics, CRPS, skill, two levels, times, memory and status, side by side."""
    page = show("report")
    page.set_viewport_size({"width": 1400, "height": 900})
    box = "document.querySelector('#leaderboard-table').parentElement"
    assert page.evaluate(f"{box}.scrollWidth - {box}.clientWidth") <= 0
    last = page.locator("#leaderboard-table tbody tr").first.locator("td").last.bounding_box()
    assert last["x"] + last["width"] <= 1400
    page.set_viewport_size(DESKTOP["viewport"])


def test_the_page_of_all_runs_shows_everything_on_a_phone(show: Any) -> None:
    page = show("runs", **DARK_PHONE)
    for row in page.locator("#runs-table tbody tr").all():
        for cell in row.locator("td, th").all():
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
    assert page.locator("#runs-table td[data-label=Error]").first.is_visible()


def test_runs_page_filters_and_sorts(show: Any) -> None:
    page = show("runs")
    page.get_by_label("Search").fill("TFT")
    assert page.locator("#runs-table tbody tr:visible").count() == 1
    assert page.locator("#runs-table-count").inner_text() == "1 of 2 shown"
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Error").click()
    errors = [float(v) for v in column(page, "runs-table", 6)]
    assert errors == sorted(errors)


def test_monitor_shows_forecasts_of_several_origins_and_actual_values(show: Any) -> None:
    page = show("monitor")
    drawn = traces(page, "[data-explorer]")
    own = next(t for t in drawn if (t["name"] or "").endswith(" of b"))
    assert own["y"].count(None) == 7  # eight origins, a gap between each two
    lines = traces(page, "[data-chart=by-origin]")
    back_test = next(trace for trace in lines if trace["name"] == "back-test")
    assert back_test["y"][0] == back_test["y"][1]
    page.fill("#series", NAMES[0])
    page.keyboard.press("Enter")
    assert page.locator(".ribbon span").count() == 2
    assert page.locator("#data-changes").inner_text().count("<b>bold") == 1
