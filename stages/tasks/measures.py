"""How every number of metrics/<system>.json is to be read, by its key: ``quantized.r2``, say."""

from dataclasses import replace

from stages.tasks.task import HIGHER, LOWER, Measure, Task

_OF_ALL = {
    "fidelity.sqnr_db": Measure("SQNR", "dB", HIGHER),
    "parameters.count": Measure("parameters", "parameters"),
    "rounding.output_error": Measure("error of these codes", "", LOWER),
    "rounding.rows": Measure("rows", "rows"),
    "rounding.rows_proven": Measure("rows proven optimal", "rows", HIGHER),
    "rounding.rows_searched": Measure("rows searched", "rows"),
    "verdict.non_inferior": Measure("not inferior", "", HIGHER),
    "verdict.p_inferior": Measure("p of worse than allowed", "", LOWER),
    "verdict.rows": Measure("rows", "rows"),
    "verdict.rows_needed": Measure("rows needed", "rows"),
}
_SIZES = ("float_payload", "codes", "scales", "quantized_payload", "file_float", "file_quantized")


def measures(task: Task) -> dict[str, Measure]:
    """The measures of all numbers that metrics of this task have."""
    scores = dict(task.scores)
    for key in (task.on_training_rows, f"{task.headline_key}_noisy"):
        scores[key] = task.scores[task.headline_key]
    moved = Measure("moved", task.output, LOWER)
    return {
        **_OF_ALL,
        **{f"size.{key}": Measure(key, "bytes", LOWER) for key in _SIZES},
        **{f"{group}.{key}": scores[key] for group in ("float", "quantized") for key in scores},
        # A change of a change is neither better nor worse.
        **{f"change.{key}": _of_change(scores[key]) for key in scores},
        **{
            f"{group}.robustness.{key}": moved
            for group in ("float", "quantized")
            for key in ("noise", "scaling")
        },
        "fidelity.agreement": Measure("same class", "%", HIGHER, 100),
        "fidelity.max_abs": Measure("largest change of an output", task.output, LOWER),
        "fidelity.mean_abs": Measure("mean change of an output", task.output, LOWER),
        **{f"verdict.{key}": each for key, each in task.verdict.items()},
        **{
            f"verdict.{key}": Measure(key, task.judged.change_unit, better, 100)
            for key, better in {
                "low": task.judged.better,
                "high": task.judged.better,
                "margin": "",
            }.items()
        },
    }


def _of_change(measure: Measure) -> Measure:
    return replace(measure, unit="points" if measure.unit == "%" else measure.unit, better="")
