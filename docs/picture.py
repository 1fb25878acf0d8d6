"""python -m docs.picture: docs/report.png, the answer and a system on the report's page."""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

REPORT = Path("report/index.html")
PICTURE = Path("docs/report.png")
MOST_BYTES = 200_000
_SYSTEM = "mnist-7k"
_WIDTH, _HEIGHT = 1200, 890  # CSS pixels: of the system its verdict and two rows of pictures
_COLORS = 128
_PAGE_HEIGHT = "return document.documentElement.scrollHeight"


def main() -> None:
    """Write the picture, or exit with 1 and one line that says why there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        sys.exit("chromium: not installed; apt-get install chromium chromium-driver")
    if not REPORT.exists():
        sys.exit(f"{REPORT}: no such file; `dvc repro report` makes it")
    content = smaller(*screenshots(browser, driver))
    if len(content) > MOST_BYTES:
        sys.exit(f"{PICTURE}: got {len(content)} bytes; allowed are {MOST_BYTES}: lower _HEIGHT")
    PICTURE.write_bytes(content)


def screenshots(browser: str, driver: str) -> tuple[bytes, bytes]:
    """The picture of the answer, and the section of a system, as PNG."""
    with tempfile.TemporaryDirectory() as profile:
        options = ChromeOptions()
        options.binary_location = browser
        for argument in (
            "--headless=new",
            "--no-sandbox",  # root has none
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--window-size={_WIDTH},{_HEIGHT}",
        ):
            options.add_argument(argument)
        with Chrome(options=options, service=ChromeService(driver)) as chrome:
            chrome.get(REPORT.resolve().as_uri())
            # A section is taken as far as it is in view: all of the page must be.
            chrome.set_window_size(_WIDTH, chrome.execute_script(_PAGE_HEIGHT))
            answer = chrome.find_element(By.CLASS_NAME, "answers")
            section = chrome.find_element(By.ID, f"system-{_SYSTEM}")
            return bytes(answer.screenshot_as_png), bytes(section.screenshot_as_png)


def smaller(answer: bytes, section: bytes) -> bytes:
    """The one above the top of the other, in few colors, which is a third of the bytes."""
    with Image.open(io.BytesIO(answer)) as first, Image.open(io.BytesIO(section)) as second:
        both = Image.new("RGB", (second.width, first.height + _HEIGHT), "white")
        both.paste(first)
        both.paste(second.crop((0, 0, second.width, _HEIGHT)), (0, first.height))
    out = io.BytesIO()
    both.quantize(_COLORS, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
