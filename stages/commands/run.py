"""python -m stages.commands.run: reproduce the systems whose data is in reach; print a table."""

import sys

from octet.cli.command import Parser, one_line
from stages import checks, dvc, markdown
from stages.load import readers
from stages.metrics import Metrics, read
from stages.params.data import Data
from stages.params.file import Params, load_params
from stages.params.quant import FLOAT_BITS
from stages.paths import data_path, metrics_path
from stages.pinned import OutOfReachError
from stages.tasks.task import digits

_HEAD = (
    "system",
    "score",
    "float",
    "quantized",
    "change",
    "95 %",
    "float bytes",
    "codes + scales",
    "file bytes",
    "verdict",
)


def main() -> None:
    """Exit 0 with the systems in reach done; 1, with one line, if one of those failed."""
    with one_line():
        Parser(description="Reproduce all systems whose data is in reach.").parse_args()
        checked = load_params()
        left_out = out_of_reach(checked)
        names = [name for name in checked.systems if name not in left_out]
        targets = [f"evaluate@{name}" for name in names] if left_out else []
        sys.stdout.write(f"{' '.join(['dvc', 'repro', *targets])}\n")
        sys.stdout.flush()  # DVC answers output that goes nowhere with a traceback
        if names and dvc.run("repro", *targets):
            sys.exit(1)  # DVC has said why
        # By itself it asks for no stage of a system that is not in reach.
        if names and left_out and dvc.run("repro", "--single-item", "report"):
            sys.exit(1)
        sys.stdout.write(f"\n{table(names, checked)}\n")
        for name, reason in left_out.items():
            sys.stdout.write(f"left out: {name}: {reason}\n")
        sys.stdout.write("report/index.html has what is there, with pictures\n")


def out_of_reach(checked: Params) -> dict[str, str]:
    """The systems whose data is neither in DVC's cache nor to be had, and why.

    Raises:
        OctetError: data that is there but damaged.
    """
    reasons: dict[str, str] = {}
    missing: dict[Data, str] = {}
    for name, system in checked.systems.items():
        try:
            if system.data not in missing:
                readers.refuse_out_of_reach(system.data, f"systems.{name}.data")
                continue
        except OutOfReachError as error:
            missing[system.data] = str(error)
        dvc.run("checkout", str(data_path(name)), quiet=True)
        if dvc.run("status", "--quiet", f"load@{name}", quiet=True):
            reasons[name] = missing[system.data]
    return reasons


def table(names: list[str], checked: Params) -> str:
    """Float against quantized, a row for each system, as Markdown.

    Raises:
        OctetError: a file of metrics is missing or not whole.
    """
    rows = []
    for name in names:
        metrics = read(metrics_path(name))
        verdict = checks.answer([*checks.of_system(name, checked, metrics)])
        if checked.quant_of(name).bits == FLOAT_BITS:
            verdict = "float"
        rows.append([name, *_cells(metrics), verdict])
    return markdown.table(_HEAD, rows)


def _cells(metrics: Metrics) -> list[str]:
    task, number = metrics.kind().task, metrics.number
    key = task.headline_key
    size = {
        name: f"{number(f'size.{name}'):.0f}"
        for name in ("float_payload", "codes", "scales", "file_float", "file_quantized")
    }
    ends = (digits(100 * end, "+.2f") for end in metrics.numbers("verdict.low", "verdict.high"))
    return [
        task.headline_name,
        f"{number(f'float.{key}'):.6f}",
        f"{number(f'quantized.{key}'):.6f}",
        f"{number(f'change.{key}'):+.6f}",
        f"{task.judged.name} {' … '.join(f'{end}%' for end in ends)}",
        size["float_payload"],
        f"{size['codes']} + {size['scales']}",
        f"{size['file_float']} → {size['file_quantized']}",
    ]


if __name__ == "__main__":
    main()
