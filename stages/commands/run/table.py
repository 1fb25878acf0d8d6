"""The answer: float against quantized, a row for each system."""

from collections.abc import Iterable

from stages import checks, markdown
from stages.metrics import Metrics, read
from stages.params.file import Params
from stages.params.quant import FLOAT_BITS
from stages.paths import metrics_path
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


def table(names: Iterable[str], checked: Params) -> str:
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
