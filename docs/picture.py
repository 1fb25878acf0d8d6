"""python -m docs.picture: docs/report.png, of the report's page, and docs/comment.png.

The one is the answer and a system; the other is the comment that docs/experiments.md shows as text,
as a page of Markdown shows it.
"""

import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

REPORT = Path("report/index.html")
REPORT_PICTURE = Path("docs/report.png")
COMMENT = Path("docs/experiments.md")
COMMENT_PICTURE = Path("docs/comment.png")
MOST_BYTES = 200_000
_SYSTEM = "mnist-7k"
_WIDTH, _HEIGHT = 1200, 890  # CSS pixels: of the system its verdict and two rows of pictures
_COLORS = 128
_PAGE_HEIGHT = "return document.documentElement.scrollHeight"
_EXAMPLE = re.compile(r"^```markdown\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 1.5rem; color: #1f2328 }
h1, h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: .3em; font-weight: 600 }
table { border-collapse: collapse; margin-bottom: 1rem }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px; text-align: left }
code { background: #eff1f3; padding: .2em .4em; border-radius: 6px }
"""


def main() -> None:
    """Write the pictures, or exit with 1 and one line that says why there are none."""
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if not all(programs):
        sys.exit("chromium: not installed; apt-get install chromium chromium-driver")
    if not REPORT.exists():
        sys.exit(f"{REPORT}: no such file; `dvc repro report` makes it")
    with chromium(*map(str, programs)) as chrome:
        pictures = {
            REPORT_PICTURE: one_above_the_other(*of_report(chrome)),
            COMMENT_PICTURE: of_comment(chrome),
        }
    for path, picture in pictures.items():
        content = in_few_colors(picture)
        if len(content) > MOST_BYTES:
            sys.exit(f"{path}: got {len(content)} bytes; allowed are {MOST_BYTES}: show less")
        path.write_bytes(content)


@contextmanager
def chromium(browser: str, driver: str) -> Iterator[Chrome]:
    """A browser without a window, and with a profile of its own."""
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
            yield chrome


def of_report(chrome: Chrome) -> tuple[Image.Image, Image.Image]:
    """The picture of the answer, and the top of the section of a system."""
    show(chrome, REPORT)
    answer = taken(chrome.find_element(By.CLASS_NAME, "answers"))
    section = taken(chrome.find_element(By.ID, f"system-{_SYSTEM}"))
    return answer, section.crop((0, 0, section.width, _HEIGHT))


def of_comment(chrome: Chrome) -> Image.Image:
    """The example of a comment on a pull request."""
    example = _EXAMPLE.search(COMMENT.read_text(encoding="utf-8"))
    if example is None:
        sys.exit(f"{COMMENT}: no example of a comment, which begins with ```markdown")
    body = MarkdownIt("commonmark").enable("table").render(example[1])
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "comment.html")
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><body>{body}",
            encoding="utf-8",
        )
        show(chrome, page)
        return taken(chrome.find_element(By.TAG_NAME, "body"))


def show(chrome: Chrome, page: Path) -> None:
    """All of a page: an element is taken as far as it is in view."""
    chrome.get(page.resolve().as_uri())
    chrome.set_window_size(_WIDTH, chrome.execute_script(_PAGE_HEIGHT) + _HEIGHT // 4)


def taken(element: WebElement) -> Image.Image:
    """The picture of an element."""
    return Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")


def one_above_the_other(first: Image.Image, second: Image.Image) -> Image.Image:
    """Both on white."""
    both = Image.new("RGB", (second.width, first.height + second.height), "white")
    both.paste(first)
    both.paste(second, (0, first.height))
    return both


def in_few_colors(picture: Image.Image) -> bytes:
    """As PNG, of a third of the bytes."""
    out = io.BytesIO()
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
