"""The report in a real browser, as a reader sees it: on a screen and on a phone, light and dark."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.conftest import ROOT
from tests.stages import small

pytestmark = pytest.mark.slow

# What a reader can look at, with where it is and how much of it is cut off.
SEEN = """
const all = "figure, figure svg:not(svg svg), figure img, figure table, .sortable";
return [...document.querySelectorAll(all)]
  .filter((each) => !each.closest("details:not([open])"))
  .map((each) => {
    const { left, right, width, height } = each.getBoundingClientRect();
    const scrolled = each.closest(".scroll") !== null && each.matches(".sortable");
    return { what: each.outerHTML.slice(0, 80), left, right, width, height, scrolled };
  });
"""
# Text of a picture that sticks out of it is cut off.
CUT_OFF = """
return [...document.querySelectorAll("figure svg:not(svg svg)")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const { left, right, top, bottom } = text.getBoundingClientRect();
    const slack = 1.5;
    return left < frame.left - slack || right > frame.right + slack
      || top < frame.top - slack || bottom > frame.bottom + slack;
  }).map((text) => text.textContent);
});
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a report that the command made."""
    tree = small.write(tmp_path_factory.mktemp("browser") / "tree")
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-m", "stages.report"], cwd=tree, env=env, check=True)
    return (tree / "report" / "index.html").as_uri()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Chromium without a screen and without a network, which keeps a log of what it does."""
    # Debian's browser, or what GitHub's runners have.
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    programs = [browser, shutil.which("chromedriver")]
    if None in programs:
        pytest.skip(
            "chromium and chromedriver are not installed: apt-get install chromium chromium-driver"
        )
    options = ChromeOptions()
    options.binary_location = str(programs[0])
    for argument in (
        "--headless=new",
        "--no-sandbox",  # root has none
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(str(programs[1])))
    yield driver
    driver.quit()


def show(chrome: Chrome, address: str, width: int, scheme: str = "light") -> None:
    """Open the page on a screen of this width, in light or dark."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for log in ("browser", "performance"):
        chrome.get_log(log)
    chrome.get(address)


def requested(chrome: Chrome) -> list[str]:
    """Every address that was asked for since the page was opened, but for data in itself."""
    events = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
    return [
        each["request"]["url"] for each in sent if not each["request"]["url"].startswith("data:")
    ]


def test_the_page_loads_without_an_error_and_asks_for_nothing_else(
    chrome: Chrome, address: str
) -> None:
    show(chrome, address, 1280)
    for details in chrome.find_elements(By.TAG_NAME, "summary"):
        details.click()
    assert chrome.get_log("browser") == []
    assert requested(chrome) == [address]
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_the_logs_would_tell_of_an_error_and_of_a_request(chrome: Chrome, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>throw Error('seen')</script><img src='http://example.invalid/x.png'>")
    show(chrome, page.as_uri(), 1280)
    assert "seen" in str(chrome.get_log("browser"))
    assert requested(chrome) == [page.as_uri(), "http://example.invalid/x.png"]


@pytest.mark.parametrize("width", [390, 1280])
def test_every_figure_is_seen_whole_and_nothing_is_wider_than_the_screen(
    chrome: Chrome, address: str, width: int
) -> None:
    show(chrome, address, width)
    seen: list[dict[str, Any]] = chrome.execute_script(SEEN)
    assert len([each for each in seen if each["what"].startswith("<figure")]) > 15
    for each in seen:
        assert each["width"] > 20, each
        assert each["height"] > 15, each
        assert each["left"] >= 0, each
        assert each["right"] <= width or each["scrolled"], each
    page = "document.documentElement"
    assert chrome.execute_script(f"return {page}.scrollWidth - {page}.clientWidth") == 0
    broken = "return [...document.images].filter((each) => !each.naturalWidth).length"
    assert chrome.execute_script(broken) == 0


# Where marks of the picture of the answer are, of all the page; those of a system in one list.
ANSWER = """
const box = (each) => { const { top, bottom, left, right } = each.getBoundingClientRect();
                        return { top, bottom, left, right }; };
return [...document.querySelectorAll(".answers li")].map((row) => ({
  row: box(row), name: row.querySelector(".name").textContent,
  spans: [...row.querySelectorAll(".span")].map((span) => ({
    span: box(span), margin: box(span.querySelector(".margin")),
    interval: box(span.querySelector(".interval")) })),
}));
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_answer_is_on_the_first_screen_each_interval_against_its_margin(
    chrome: Chrome, address: str, width: int
) -> None:
    show(chrome, address, width)
    rows = chrome.execute_script(ANSWER)
    assert [each["name"] for each in rows] == [*small.systems()]
    assert all(0 < each["row"]["top"] < each["row"]["bottom"] <= 844 for each in rows)
    for each in rows:
        for span in each["spans"]:
            assert span["span"]["left"] < span["margin"]["left"] < span["span"]["right"]
    # Of this one the interval reaches from below its margin to beyond it.
    first = next(each["spans"][0] for each in rows if each["name"] == small.TABLE)
    assert first["interval"]["left"] < first["margin"]["left"] < first["interval"]["right"]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_name_in_a_picture_is_cut_off(chrome: Chrome, address: str, width: int) -> None:
    show(chrome, address, width)
    assert chrome.execute_script(CUT_OFF) == []


def test_plots_of_dvc_say_that_they_need_a_network(chrome: Chrome, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text((ROOT / ".dvc/plots/page.html").read_text())
    show(chrome, page.as_uri(), 1280)
    assert "without a network, open report/index.html" in chrome.find_element("id", "offline").text
    page.write_text(page.read_text().replace("{scripts}", "<script>vegaEmbed = 1</script>"))
    chrome.refresh()
    assert not chrome.find_element("id", "offline").is_displayed()


def contrast(one: list[float], other: list[float]) -> float:
    """The ratio of two colours' luminances, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    levels = [
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in x]
        for x in (one, other)
    ]
    dark, light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05 for r, g, b in levels)
    return light / dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(chrome: Chrome, address: str, scheme: str) -> None:
    show(chrome, address, 1280, scheme)
    shown = [
        [int(part) / 255 for part in text.removeprefix("rgb(").removesuffix(")").split(",")]
        for text in chrome.execute_script(
            "const of = (what) => getComputedStyle(document.querySelector(what));"
            "return [of('body').backgroundColor, of('body').color, of('figcaption').color,"
            " of('a[href=\\\\#tables]').color, of('svg text').fill]"
        )
    ]
    paper, *inks = shown
    assert (sum(paper) < 1) == (scheme == "dark")
    assert all(contrast(paper, ink) >= 4.5 for ink in inks)


def column(table: WebElement, place: int) -> list[float]:
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({place + 1})")
    return [float(cell.get_attribute("data-value") or "nan") for cell in cells]


def sizes(chrome: Chrome, address: str) -> WebElement:
    """The table of sizes, which has a row for each system."""
    show(chrome, address, 1280)
    return next(
        table
        for table in chrome.find_elements(By.CSS_SELECTOR, "table.sortable")
        if table.find_element(By.TAG_NAME, "caption").text == "Size in bytes"
    )


def test_a_table_sorts_by_click_up_and_then_down(chrome: Chrome, address: str) -> None:
    table = sizes(chrome, address)
    for place in (1, 5):
        heading = table.find_elements(By.CSS_SELECTOR, "thead th")[place]
        for order in ("ascending", "descending"):
            heading.find_element(By.TAG_NAME, "button").click()
            numbers = column(table, place)
            assert len(set(numbers)) > 1
            assert numbers == sorted(numbers, reverse=order == "descending")
            assert heading.get_attribute("aria-sort") == order
        assert len(table.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1


def test_a_table_sorts_by_the_keyboard_and_says_so(chrome: Chrome, address: str) -> None:
    table = sizes(chrome, address)
    first, second = table.find_elements(By.CSS_SELECTOR, "thead button")[:2]
    chrome.execute_script("arguments[0].focus()", first)
    first.send_keys(Keys.TAB)
    assert chrome.switch_to.active_element == second
    outline = chrome.execute_script("return getComputedStyle(arguments[0]).outlineStyle", second)
    assert outline == "solid"
    for key, order in ((Keys.ENTER, "ascending"), (Keys.SPACE, "descending")):
        chrome.switch_to.active_element.send_keys(key)
        numbers = column(table, 1)
        assert numbers == sorted(numbers, reverse=order == "descending")
        said = chrome.find_element(By.ID, "sorted").get_attribute("textContent")
        assert said == f"Sorted by parameters, {order}."
