"""A file comes from the mirror, the cache or the web, and never half of it."""

import gc
import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from octet.errors import OctetError
from stages.load.readers.sources import MIRROR_VARIABLE, OutOfReachError, Source, fetch

# pooch leaves the connection of a failed download to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CONTENT = bytes(range(256)) * 400
DIGEST = hashlib.sha256(CONTENT).hexdigest()
MIRRORED = "tables/table.data"
FILENAME = "table.tgz"


@dataclass
class Answer:
    """One response; ``missing`` bytes are announced but not sent."""

    body: bytes = CONTENT
    status: int = 200
    missing: int = 0
    location: str = ""


WHOLE = Answer()
BROKEN = Answer(status=500, body=b"")
CUT_OFF = Answer(body=CONTENT[:-100], missing=100)
HTML = Answer(body=b"<!doctype html>\n<html><body>Please log in</body></html>\n")
SHORT = Answer(body=CONTENT[:-100])
OTHER = Answer(body=CONTENT[:-1] + b"?")
NOT_THE_FILE = [HTML, SHORT, OTHER, Answer(body=b"")]
NOT_THE_FILE_IDS = ["HTML page", "truncated file", "one wrong byte", "empty file"]


@dataclass
class Site:
    """A web server that gives the listed answers, the last one for ever."""

    url: str
    answers: list[Answer] = field(default_factory=lambda: [WHOLE])
    asked: int = 0

    def next(self) -> Answer:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def source(self) -> Source:
        return Source(mirrored=MIRRORED, url=self.url, filename=FILENAME, sha256=DIGEST)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = site.next()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body) + answer.missing))
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}/files/1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()
    gc.collect()


@pytest.fixture
def nowhere() -> Iterator[Source]:
    """A source at a port that is taken and does not listen."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/files/1"
        yield Source(MIRRORED, url, FILENAME, DIGEST)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no mirror, no proxy, and no pause between attempts."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda name: folder / name)
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    return folder


def mirror(folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "mirror" / MIRRORED
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    monkeypatch.setenv(MIRROR_VARIABLE, str(folder / "mirror"))
    return path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def refusal(source: Source) -> str:
    with pytest.raises(OutOfReachError) as caught:
        fetch(source)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_the_mirror_comes_first(
    tmp_path: Path, site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(site.source())
    asked = site.asked
    path = mirror(tmp_path, b"the user's own", monkeypatch)
    assert fetch(site.source()) == path
    assert site.asked == asked
    assert path.read_bytes() == b"the user's own"
    assert [kept.read_bytes() for kept in files(cache)] == [CONTENT]


def test_a_file_of_the_mirror_is_not_copied_to_the_cache(
    tmp_path: Path, site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror(tmp_path, CONTENT, monkeypatch)
    fetch(site.source())
    assert site.asked == 0
    assert not files(cache)


def test_what_the_mirror_lacks_is_downloaded(
    tmp_path: Path, site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path))
    path = fetch(site.source())
    assert path.is_relative_to(cache)
    assert path.read_bytes() == CONTENT


def test_the_cache_comes_before_the_web(site: Site, cache: Path) -> None:
    first = fetch(site.source())
    site.answers = [BROKEN]
    assert fetch(site.source()) == first
    assert site.asked == 1
    assert files(cache) == [first]


def test_a_download_is_kept_under_its_name(site: Site, cache: Path) -> None:
    path = fetch(site.source())
    assert path.name == FILENAME
    assert files(cache) == [path]
    assert path.read_bytes() == CONTENT


def test_a_download_follows_a_redirect(site: Site) -> None:
    site.answers = [Answer(status=302, body=b"", location=site.url + "/elsewhere"), WHOLE]
    assert fetch(site.source()).read_bytes() == CONTENT
    assert site.asked == 2


@pytest.mark.parametrize(
    "first", [BROKEN, CUT_OFF, *NOT_THE_FILE], ids=["HTTP 500", "cut off", *NOT_THE_FILE_IDS]
)
def test_a_download_that_fails_is_tried_again(site: Site, cache: Path, first: Answer) -> None:
    site.answers = [first, WHOLE]
    path = fetch(site.source())
    assert site.asked == 2
    assert path.read_bytes() == CONTENT
    assert files(cache) == [path]


@pytest.mark.parametrize(
    "only",
    [BROKEN, Answer(status=404, body=b""), CUT_OFF, *NOT_THE_FILE],
    ids=["HTTP 500", "HTTP 404", "cut off", *NOT_THE_FILE_IDS],
)
def test_a_download_that_goes_on_failing_leaves_nothing_to_trust(
    site: Site, cache: Path, only: Answer
) -> None:
    site.answers = [only]
    message = refusal(site.source())
    assert message.startswith(f"{FILENAME} is not in reach: ")
    assert site.url in message
    assert site.asked > 1
    assert not files(cache)


@pytest.mark.parametrize("only", NOT_THE_FILE, ids=NOT_THE_FILE_IDS)
def test_bytes_that_are_not_the_file_are_named_by_their_digest(site: Site, only: Answer) -> None:
    site.answers = [only]
    message = refusal(site.source())
    assert DIGEST in message
    assert hashlib.sha256(only.body).hexdigest() in message


def test_a_status_is_named(site: Site) -> None:
    site.answers = [Answer(status=404, body=b"")]
    assert "404" in refusal(site.source())


@pytest.mark.parametrize("damage", [b"", CONTENT[:-1], CONTENT[:-1] + b"?"], ids=len)
def test_a_damaged_copy_in_the_cache_is_downloaded_again(
    site: Site, cache: Path, damage: bytes
) -> None:
    path = fetch(site.source())
    path.write_bytes(damage)
    assert fetch(site.source()) == path
    assert path.read_bytes() == CONTENT
    assert site.asked == 2
    assert files(cache) == [path]


def test_a_damaged_copy_in_the_cache_is_no_substitute_for_the_web(
    site: Site, nowhere: Source
) -> None:
    path = fetch(site.source())
    path.write_bytes(CONTENT[:-1])
    for _ in range(2):
        assert f"no whole copy in {path.parent}" in refusal(nowhere)
    assert fetch(site.source()).read_bytes() == CONTENT


def test_a_failed_replacement_of_a_damaged_copy_is_not_trusted_either(site: Site) -> None:
    fetch(site.source()).write_bytes(CONTENT[:-1])
    site.answers = [OTHER]
    refusal(site.source())
    site.answers = [WHOLE]
    assert fetch(site.source()).read_bytes() == CONTENT


def test_without_network_and_mirror_the_error_says_what_to_set(
    nowhere: Source, cache: Path
) -> None:
    message = refusal(nowhere)
    assert message.startswith(f"{FILENAME} is not in reach: {MIRROR_VARIABLE} is not set; ")
    assert f"Set {MIRROR_VARIABLE} to a folder that holds {MIRRORED}" in message
    assert nowhere.url in message
    assert not files(cache)


def test_without_network_a_mirror_that_lacks_the_file_is_named(
    tmp_path: Path, nowhere: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, str(tmp_path / "elsewhere"))
    message = refusal(nowhere)
    assert f"{tmp_path / 'elsewhere'} has no {MIRRORED}" in message
    assert f"Set {MIRROR_VARIABLE} to a folder that holds {MIRRORED}" in message


def test_an_empty_mirror_variable_is_an_unset_one(
    nowhere: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, "")
    assert f"{MIRROR_VARIABLE} is not set" in refusal(nowhere)


def test_a_cache_that_cannot_be_written_is_named(nowhere: Source, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(OctetError) as caught:
        fetch(nowhere)
    assert str(cache) in str(caught.value)
