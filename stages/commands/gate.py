"""python -m stages.commands.gate: may the quantized models replace the float ones? 1 if not.

Reads metrics/ and the gates of params.yaml. What is missing, no number, or of other parameters than
those of params.yaml has failed: absence is never a pass.
"""

import sys
from collections.abc import Iterator, Sequence

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import checks, markdown
from stages.checks import Check
from stages.metrics import read
from stages.params.file import Params, load_params
from stages.paths import METRICS, metrics_path
from stages.stale import Project

_HEAD = ("system", "what", "got", "allowed", "")


def main() -> None:
    """Print the table, and exit with 1 if any row of it has failed."""
    with one_line():
        Parser(description="Hold the metrics against the gates.").parse_args()
        rows = sorted(every(load_params()))
        sys.stdout.write(table(rows))
    failed = sum(not check.passed for check in rows)
    if failed:
        sys.exit(f"{failed} of {len(rows)} gates failed")


def table(rows: Sequence[Check]) -> str:
    """A row for each gate, as Markdown."""
    marked = [(c.system, c.what, c.got, c.allowed, "pass" if c.passed else "FAIL") for c in rows]
    return markdown.table(_HEAD, marked)


def every(checked: Params) -> Iterator[Check]:
    """Every gate of every system, and a failure for each file that cannot be held against one."""
    project = Project.read()
    known = {metrics_path(name): name for name in checked.systems}
    for path, name in known.items():
        try:
            metrics = read(path)
        except OctetError as error:
            yield Check(name, "metrics", str(error), "a file of metrics", False)
        else:
            if stale := project.stale(name, path.read_bytes()):
                yield Check(name, "metrics", stale, "those of these parameters: dvc repro", False)
            yield from checks.of_system(name, checked, metrics)
    for path in sorted(set(METRICS.glob("*.json")) - known.keys()):
        yield Check(path.stem, "metrics", f"{path}", "a system of params.yaml; delete it", False)


if __name__ == "__main__":
    main()
