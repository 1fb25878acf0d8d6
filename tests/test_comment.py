"""The comment on a pull request: it goes to the right one, and a stranger's text is but text."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workflows import Runner, path_with, program

HOSTILE = "<!-- octet -->\u202e @everyone [x](http://evil)\n" + "A" * 100_000
FOLDS = "<details><summary>a</summary>\n\n" * 1000 + "B\n" * 40_000


GH = """
import json, pathlib, shutil, sys
folder = pathlib.Path(__file__).parent.parent
with open(folder / "asked.jsonl", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
arguments = " ".join(sys.argv[1:])
if arguments.startswith("run download"):
    source = folder / "comment.md"
    if not source.exists():
        sys.exit("no artifact")
    target = pathlib.Path(sys.argv[sys.argv.index("--dir") + 1])
    target.mkdir()
    shutil.copy(source, target, follow_symlinks=False)
elif arguments.startswith("run view"):
    print((folder / "jobs.json").read_text())
elif "/pulls" in arguments:
    print((folder / "pulls.json").read_text())
elif "--paginate" in arguments:
    print((folder / "comments.json").read_text())
"""
STEPS = [{"name": "Set up", "conclusion": "success"}, {"name": "Gate", "conclusion": "failure"}]
JOBS = {"jobs": [{"name": "reproduce @x", "steps": STEPS}, {"name": "tests", "steps": []}]}


@pytest.fixture
def github(tmp_path: Path) -> Path:
    """A stand-in for GitHub's own program, which is not there: it notes what it is asked for."""
    if not shutil.which("jq"):
        pytest.skip("jq is not installed: apt-get install jq")
    program(tmp_path / "bin", "gh", GH)
    (tmp_path / "jobs.json").write_text(json.dumps(JOBS))
    (tmp_path / "pulls.json").write_text("[]")
    (tmp_path / "comments.json").write_text("[]")
    (tmp_path / "comment.md").write_text(HOSTILE)
    return tmp_path


def pull(number: object, sha: str = "abc", repository: int = 5) -> dict[str, object]:
    return {"number": number, "head": {"sha": sha}, "base": {"repo": {"id": repository}}}


Post = Callable[..., tuple[list[list[str]], str]]


@pytest.fixture
def post(github: Path) -> Post:
    """Run the job that comments; gives what was asked of GitHub, and the comment."""

    def run(*pulls: dict[str, object]) -> tuple[list[list[str]], str]:
        variables = path_with(github / "bin") | {"GH_REPO": "o/r", "GH_TOKEN": "none"}
        runner = Runner(github, github, variables)
        event = "github.event.workflow_run"
        known = {
            f"toJSON({event}.pull_requests)": json.dumps(pulls),
            f"{event}.head_repository.owner.login": "someone",
            f"{event}.head_branch": "$(touch owned); `touch owned`",
            f"{event}.head_sha": "abc",
            f"{event}.id": "7",
            f"{event}.html_url": "https://github.com/o/r/actions/runs/7",
            f"{event}.conclusion": "failure",
            "github.repository_id": "5",
        }
        outcomes = runner.job("comment.yml", "comment", known)
        assert "failure" not in outcomes.values(), runner.said
        assert not list(github.rglob("owned"))
        asked = [json.loads(line) for line in (github / "asked.jsonl").read_text().splitlines()]
        body = runner.temp / "body.md"
        return asked, body.read_text() if body.exists() else ""

    return run


HEAD = "[ci: failure](https://github.com/o/r/actions/runs/7) for abc"
FAILED = "- failed: reproduce @&#8203;x: Gate"
FRONT = f"{HEAD}. What follows comes from the pull request's own code.\n\n{FAILED}\n\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("## A title", "## A title"),
        ("| a | **b** | -1.5 % |", "| a | **b** | -1.5 % |"),
        ("run `dvc repro` now", "run `dvc repro` now"),
        (r"a\_b \| \[c] &lt;d&gt; \\", r"a\_b \| \[c] &lt;d&gt; \\"),
        ("@all, a@b.c", "@&#8203;all, a@&#8203;b.c"),
        (r"\@all", "@&#8203;all"),
        ("&#64;all", "&amp;#&#8203;64;all"),
        ("o/r#12, GH-12, # 1", "o/r#&#8203;12, GH&#8203;-12, # 1"),
        ("http://evil www.evil.com", "http:&#8203;//evil www&#8203;.evil.com"),
        ("[x](y) ![x](y) [^1]", r"\[x](y) !\[x](y) \[^1]"),
        ("<img src=x><!-- octet -->", r"&lt;img src=x>&lt;!-- octet -->"),
        ("```sh", r"\`\`\`sh"),
        ("`<b>` ``a` `@x`", r"\`&lt;b>\` \`\`a` `@&#8203;x\`"),
        ("~~~", r"\~\~\~"),
        ("$x$", "&#36;x&#36;"),
        ("a\u202eb\u200bc\x00\x1b[31m", r"abc\[31m"),
        ("    code", "code"),
        ("<details>", "&lt;details>"),
        ("</details>", "&lt;/details>"),
        ("<details><summary>a <b>@x `c`</summary>", "<details><summary>a bx c</summary>"),
    ],
    ids=ascii,
)
def test_tables_and_folds_stay_and_nothing_else_is_more_than_text(
    post: Post, github: Path, line: str, shown: str
) -> None:
    (github / "comment.md").write_text(f"first\n{line}\nlast")
    _, body = post(pull(12))
    assert body.startswith(f"<!-- octet -->\n{FRONT}first\n{shown}\nlast")


@pytest.mark.parametrize(
    "content",
    [HOSTILE.encode(), b"\xff\xfe\x00", b"\n" * 500_000, b"`" * 500_000, b"", FOLDS.encode()],
)
def test_no_bytes_break_out_or_stop_the_comment(post: Post, github: Path, content: bytes) -> None:
    (github / "comment.md").write_bytes(content)
    _, body = post(pull(12))
    assert body.startswith(f"<!-- octet -->\n{HEAD}")
    assert FAILED in body
    assert len(body) < 65_536
    assert body.count("<!--") == 1
    assert body.count("\n<details>") == body.count("\n</details>")


def test_a_link_in_the_artifact_is_not_followed(post: Post, github: Path) -> None:
    (github / "private").write_text("a secret of the runner")
    (github / "comment.md").unlink()
    (github / "comment.md").symlink_to(github / "private")
    _, body = post(pull(12))
    assert "secret" not in body


def test_a_new_pull_request_gets_a_comment_and_an_old_one_has_its_own_updated(
    post: Post, github: Path
) -> None:
    asked, _ = post(pull(12))
    assert asked[-1][:4] == ["api", "--method", "POST", "repos/o/r/issues/12/comments"]
    bot, person = {"login": "github-actions[bot]"}, {"login": "person"}
    (github / "comments.json").write_text(
        json.dumps([{"id": 1, "user": person, "body": "<!-- octet -->"}])
        + json.dumps([{"id": 2, "user": bot, "body": "<!-- octet -->\nold"}])
    )
    shutil.rmtree(github / "runner")
    asked, _ = post(pull(12))
    assert asked[-1][:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/2"]


@pytest.mark.parametrize(
    ("of_event", "of_api", "number"),
    [
        ([pull(12)], [], "12"),
        ([pull(11, repository=6), pull(12)], [], "12"),
        ([pull(11, repository=6)], [pull(3)], "3"),
        ([], [pull(3)], "3"),
        ([pull(12, sha="newer")], [pull(12, sha="newer")], ""),
        ([], [], ""),
        ([], [pull("3/../../x")], ""),
    ],
)
def test_the_comment_goes_to_the_pull_request_into_this_repository_whose_head_was_run(
    post: Post, github: Path, of_event: list[Any], of_api: list[Any], number: str
) -> None:
    (github / "pulls.json").write_text(json.dumps(of_api))
    asked, _ = post(*of_event)
    posted = [call[3] for call in asked if "POST" in call]
    assert posted == ([f"repos/o/r/issues/{number}/comments"] if number else [])


def test_without_an_artifact_the_comment_says_so(post: Post, github: Path) -> None:
    (github / "comment.md").unlink()
    asked, body = post(pull(12))
    assert body == f"<!-- octet -->\n{HEAD}, which left no numbers.\n\n{FAILED}\n"
    assert [call for call in asked if "POST" in call]
