"""docs/layers.md: its code runs as it stands, and the file that it shows is the file."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path("docs/layers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_file_that_was_added_is_shown_whole() -> None:
    assert Path("octet/layers/leaky_relu.py").read_text(encoding="utf-8") == BLOCKS[0]


def test_the_cases_that_were_added_are_those_of_the_contract() -> None:
    lines = re.search(r"```\n(Case\(.*?)```", PAGE, re.DOTALL)
    assert lines
    cases = Path("tests/octet/layers/cases.py").read_text(encoding="utf-8")
    assert all(line in cases for line in lines[1].splitlines())


def test_an_integer_network_by_hand_prints_what_the_page_says() -> None:
    output, names = io.StringIO(), dict[str, object]()
    with contextlib.redirect_stdout(output):
        for block in BLOCKS[1:]:
            exec(compile(block, "docs/layers.md", "exec"), names)
    printed = re.search(r"prints\n\n```\n(.*?)```", PAGE, re.DOTALL)
    assert printed
    assert output.getvalue() == printed[1]
