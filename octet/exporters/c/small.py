"""One C99 file that takes little memory: rows stream through all steps, codes stay packed.

Each step keeps only the rows that those behind it need. A table says what the steps are; what is
done in each is in templates/, a file a kind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from octet.affine import Codes
from octet.exporters.c import proof
from octet.exporters.c.common import Common
from octet.exporters.c.lowering import Entering, Program
from octet.exporters.c.pairs import Pairs
from octet.exporters.c.plan import Border, Largest, Mean, Rearranged, Step, Sum, Sums, Table
from octet.exporters.c.schedule import accumulates, turns
from octet.exporters.c.text import array, narrowest, single, template, width
from octet.exporters.c.words import (
    HALF_WORD,
    bits_of,
    column_of,
    columns_of,
    in_turns,
    packed,
    window_of,
)

# Templates, in the order in which they stand in a file, and the steps that need them.
_TEMPLATES: Mapping[str, tuple[type[Step], ...]] = {
    "scaled": (Sums, Mean),
    "code": (Sums, Mean),
    "window": (Sums,),
    "sums": (Sums,),
    "pool": (Mean, Largest),
    "pools": (Mean, Largest),
    "sum": (Sum,),
    "table": (Table,),
    "border": (Border,),
    "rearranged": (Rearranged,),
}
_KINDS: Mapping[type[Step], str] = {
    Mean: "MEAN",
    Largest: "LARGEST",
    Sum: "SUM",
    Table: "TABLE",
    Border: "BORDER",
    Rearranged: "REARRANGED",
}

_POOLS = """\
        if (!NAME_pools(state, step, to, turn))
            return;
        break;
"""
# Fields of a step with a type of their own.
_OWN_TYPE = ("data", "zeros")


@dataclass(frozen=True)
class Parts:
    """Of a file.

    Attributes:
        state: what is in the caller's struct, a line each.
        state_bytes: of it, without what a compiler puts between.
        constant_bytes: of the arrays and tables, with pointers of 4 bytes.
        body: what stands behind the declarations of the interface.
    """

    state: tuple[str, ...]
    state_bytes: int
    constant_bytes: int
    body: str


def write(program: Program, name: str) -> Parts:
    """The parts of the file of a program.

    Args:
        program: by `lowering.lower`.
        name: what its names begin with.
    """
    return Writer(program, name).parts()


class Writer:
    """Writes the parts of a file; other targets differ in some."""

    _alike = True  # whether what steps have in common is no field

    def __init__(self, program: Program, name: str) -> None:
        self._program, self._name = program, name
        self._steps = program.steps
        self._images = (program.entering.image, *(step.image for step in program.steps))
        sums = [step for step in program.steps if isinstance(step, Sums)]
        self._zeros_differ = any(np.ptp(_zeros(step)) > 0 for step in sums)
        self._arrays: list[str] = []
        self._pairs = Pairs(name)
        self._bytes = 0
        self._sums_at = 0

    def parts(self) -> Parts:
        """All of them."""
        rows_at, sizes = self._places()
        fields = [self._fields(i) for i in range(len(self._steps))]
        self._common = Common(self._steps, fields, alike=self._alike)
        numbers = [value for each in fields for value in each.values() if isinstance(value, int)]
        largest = max([*numbers, *(n for image in self._images for n in image)])
        size, place = narrowest(largest), narrowest(sizes)
        tables, table_bytes = self._pairs.tables()
        self._bytes += table_bytes
        entering = self._codes_of_inputs()
        state = self._state(size, sizes)
        return Parts(
            tuple(line for line, _ in state),
            sum(count for _, count in state),
            self._bytes + len(self._steps) * (4 + len(self._common.needed) * width(size)),
            "".join(
                [
                    self._struct(size, place),
                    self._template("clipped"),
                    tables,
                    *self._arrays,
                    entering,
                    self._tables(fields, rows_at),
                    *self._kernels(),
                    self._interface(),
                ]
            ),
        )

    def _places(self) -> tuple[list[int], int]:
        """Where the rows of each image begin, and how many bytes all take."""
        row = [image[0] * image[2] for image in self._images]
        ends = np.cumsum([a * b for a, b in zip(row, self._program.waiting, strict=True)])
        return [0, *map(int, ends[:-1])], int(ends[-1])

    def _fields(self, i: int) -> dict[str, object]:
        """Of a step in C."""
        step = self._steps[i]
        when = turns(step)
        fields: dict[str, object] = {
            "kind": f"{self._upper}_{self._kind(step)}",
            "source": step.sources[0] + 1,
            "other": step.sources[-1] + 1,
            "turns": when.count,
            "stride": when.stride,
            "side": when.side,
            "above": when.top,
        }
        if isinstance(step, Sums | Mean | Largest):
            window = step.window
            fields |= {"tall": window.sides[0], "wide": window.sides[1]}
            fields |= {"down": window.stride[0], "across": window.stride[1]}
            fields |= {"top": window.padding[0], "left": window.padding[1]}
        if isinstance(step, Sums | Mean | Sum):
            ends = step.leaving
            fields |= {"zero_out": ends.zero_point, "low": ends.low, "high": ends.high}
        return fields | self._own(step, i)

    def _own(self, step: Step, n: int) -> dict[str, object]:
        """What the steps of one kind have, and their arrays."""
        match step:
            case Sums():
                return self._products(step, n)
            case Mean():
                positions = step.window.sides[0] * step.window.sides[1]
                at, self._sums_at = self._sums_at, self._sums_at + step.image[0] * step.image[2]
                pair = [(-positions * step.entering_zero, step.m)]
                return {
                    "in_parts": int(accumulates(step)),
                    "sums_at": at,
                    "pairs": self._pairs.add(pair),
                }
            case Largest():
                return {"in_parts": int(accumulates(step))}
            case Sum():
                grids = [(int(grid.zero_point), float(grid.scale)) for grid in step.grids]
                grids.append((step.leaving.zero_point, step.scale))
                return {"pairs": self._pairs.add(grids, proven=False)}
            case Table():
                return {"data": self._codes(f"table_{n}", step.values)}
            case Border():
                return {"zero_in": step.code, "top": step.padding[0], "left": step.padding[1]}
        return {}

    def _products(self, step: Sums, n: int) -> dict[str, object]:
        words, products = packed(step), step.products
        literals = map("0x{:08X}U".format, in_turns(words, products.groups))
        m = np.broadcast_to(products.m, products.bias.shape)
        zeros = _zeros(step)
        own: dict[str, object] = {
            "groups": products.groups,
            "words": words.shape[1],
            "column": column_of(step),
            "zero_in": step.entering_zero,
            "data": self._weights("uint32_t", n, literals, step),
            "pairs": self._pairs.add(zip(products.bias, m, strict=True)),
        }
        if self._zeros_differ:
            return own | {"zeros": self._codes(f"zeros_{n}", zeros)}
        return own | {"zero_weights": int(zeros[0])}

    def _weights(self, kind: str, n: int, literals: Iterable[str], step: Sums) -> str:
        values = list(literals)
        self._bytes += width(kind) * len(values)
        self._say_weights(step)
        return self._array(kind, f"weights_{n}", len(values), values)

    def _say_weights(self, step: Sums) -> None:
        weight = step.products.weight
        shape = " x ".join(map(str, weight.codes.shape))
        about = f"Layer {step.layer}: weights of {weight.grid.bits} bits, {shape}."
        self._arrays.append(f"/* {about} */\n")

    def _codes(self, name: str, codes: Codes) -> str:
        self._bytes += codes.size
        return self._array("uint8_t", name, codes.size, map(str, codes.reshape(-1).tolist()))

    def _array(self, kind: str, name: str, count: int, values: Iterable[str]) -> str:
        self._arrays.append(array(f"{kind} {self._name}_{name}[{count}]", values))
        return f"{self._name}_{name}"

    def _kind(self, step: Step) -> str:
        """What C calls its kind."""
        return f"SUMS_{bits_of(step)}" if isinstance(step, Sums) else _KINDS[type(step)]

    @property
    def _upper(self) -> str:
        return self._name.upper()

    def _template(self, name: str, **words: str) -> str:
        constants = self._common.constants(name)
        return template(f"{name}.c", self._name, constants | words)

    def _struct(self, size: str, place: str) -> str:
        words = self._facts() | {"SIZE": size, "PLACE": place, "COMMON": self._common.defined()}
        words |= {"FIELDS_OF": ", ".join(f for f in self._common.needed if f not in _OWN_TYPE)}
        return self._template("struct", **words) + self._template("head")

    def _facts(self) -> dict[str, str]:
        """What C asks about the network."""
        kinds = dict.fromkeys(self._kind(step) for step in self._steps)
        sums = [step for step in self._steps if isinstance(step, Sums)]
        pools = [step for step in self._steps if isinstance(step, Largest)]
        rounding = [step for step in self._steps if isinstance(step, Sums | Mean)]
        numbers = {
            "COUNT": len(self._steps),
            "OUTPUT_IMAGE": self._program.output.step + 1,
            "HAS_ZEROS": int(self._zeros_differ),
            "IS_WIDE": int(any(proof.is_wide(step) for step in rounding)),
            "HAS_ODD": int(any(step.image[0] // step.products.groups % 2 for step in sums)),
            "MOST_ROWS": max((turns(step).side for step in sums), default=1),
            "MOST_CHANNELS": max((step.image[0] for step in sums), default=1),
            "COLUMNS": max(map(columns_of, sums), default=1),
            "HAS_MEANS": int(any(isinstance(step, Mean) for step in self._steps)),
            "HAS_PADDED_POOLS": int(any(any(step.window.padding) for step in pools)),
        }
        names = ", ".join(f"{self._upper}_{kind}" for kind in kinds)
        return {key: str(n) for key, n in numbers.items()} | {"KINDS": f"enum {{ {names} }};"}

    def _state(self, size: str, rows: int) -> list[tuple[str, int]]:
        """The lines of the struct, and the bytes of each."""
        window = max((window_of(step) for step in self._steps if isinstance(step, Sums)), default=0)
        count = len(self._steps)
        lines = [
            (f"int32_t sums[{self._sums_at}];", 4 * self._sums_at),
            (f"int16_t window[{window}];", 2 * window),
            (f"{size} turns[{count}], made[{count + 1}];", width(size) * (2 * count + 1)),
            (f"uint8_t rows[{rows}];", rows),
        ]
        return [(line, size) for line, size in lines if size]

    def _tables(self, fields: list[dict[str, object]], rows_at: list[int]) -> str:
        images = [f"    {{{', '.join(map(str, each))}}}," for each in self._image_table(rows_at)]
        asked = [
            self._common.of_step(step, each).items()
            for step, each in zip(self._steps, fields, strict=True)
        ]
        steps = [
            f"    /* {step.layer} */\n    {{{', '.join(f'.{k} = {v}' for k, v in each)}}},"
            for step, each in zip(self._steps, asked, strict=True)
        ]
        return self._template("tables", IMAGES="\n".join(images), STEPS_OF="\n".join(steps))

    def _image_table(self, rows_at: list[int]) -> list[tuple[int, ...]]:
        """The fields of each image in C."""
        return [
            (at, *image, waiting)
            for at, image, waiting in zip(rows_at, self._images, self._program.waiting, strict=True)
        ]

    def _codes_of_inputs(self) -> str:
        """What makes a code of a number that goes in: NAME_CODE(channel, number)."""
        entering = self._program.entering
        if entering.pixels is None:
            return self._codes_of_reals(entering)
        pixels, macro = entering.pixels, f"#define {self._upper}_CODE(channel, pixel) "
        if np.array_equal(pixels, np.broadcast_to(np.arange(pixels.shape[1]), pixels.shape)):
            return f"/* A pixel is a code. */\n{macro}(pixel)\n\n"
        alike = bool(np.all(pixels == pixels[0]))
        name = self._codes("pixels", pixels[0] if alike else pixels)
        last = pixels.shape[1] - 1
        place = "" if alike else f"(channel) * {last + 1} + "
        brightest = f"((pixel) > {last} ? {last} : (pixel))" if last < 255 else "(pixel)"
        return f"{self._arrays.pop()}{macro}{name}[{place}{brightest}]\n\n"

    def _codes_of_reals(self, entering: Entering) -> str:
        scaled = entering.mean is not None and entering.std is not None
        if entering.mean is not None and entering.std is not None:
            for name, values in (("mean", entering.mean), ("deviation", entering.std)):
                self._bytes += 8 * len(values)
                self._array("double", name, len(values), map(float.hex, values.tolist()))
        return self._template(
            "reals",
            STANDARDIZED=str(int(scaled)),
            SCALE_IN=single(float(entering.grid.scale)),
            ZERO_IN=str(int(entering.grid.zero_point)),
            TOP_IN=str(entering.grid.top),
        )

    def _kernels(self) -> Iterable[str]:
        """Whatever the steps need."""
        yield self._template("rows")
        for name, kinds in _TEMPLATES.items():
            if any(isinstance(step, kinds) for step in self._steps):
                yield from self._kernel(name)
        cases = list(dict.fromkeys(map(self._case, self._steps)))
        # Labels of pools come last: what stands behind them is the same.
        cases.sort(key=lambda case: case.endswith(":\n"))
        if cases[-1].endswith(":\n"):
            cases.append(_POOLS.replace("NAME", self._name))
        yield self._template("turn", CASES="".join(cases).strip())
        yield self._template("run", **self._turns())
        yield self._template("begin")

    def _turns(self) -> dict[str, str]:
        """What the file says of the order of turns: nothing, each step looks when it can."""
        return {}

    def _kernel(self, name: str) -> Iterable[str]:
        if name != "sums":
            return [self._template(name, IS_MEAN=self._is_mean())]
        widths = sorted({bits_of(step) for step in self._steps if isinstance(step, Sums)})
        return [self._sums(bits) for bits in widths]

    def _sums(self, bits: int) -> str:
        """Convolutions with weights of so many bits, of which half a word has some in turn."""
        shifts = range(0, HALF_WORD - bits + 1, bits)
        pairs = {
            f"PAIRS_OF_{count}": "\n        ".join(
                f"{self._upper}_OF_{count}({shift});" for shift in shifts
            )
            for count in ("TWO", "ONE")
        }
        return self._template("sums", BITS=str(bits), _BITS=f"_{bits}", **pairs)

    def _is_mean(self) -> str:
        """What says in C whether a pool is one of means."""
        kinds = [kind for kind in (Mean, Largest) if any(isinstance(s, kind) for s in self._steps)]
        return f"step->kind == {self._upper}_MEAN" if len(kinds) > 1 else str(int(Mean in kinds))

    def _case(self, step: Step) -> str:
        kind = self._kind(step)
        label = f"    case {self._upper}_{kind}:\n"
        if isinstance(step, Mean | Largest):
            return label
        call = f"{self._name}_{kind.lower()}(state, step, to, turn);"
        return f"{label}        {call}\n        break;\n"

    def _interface(self) -> str:
        number = "double" if self._program.entering.pixels is None else "uint8_t"
        return self._template("end") + self._template("inputs", NUMBER=number)


def _zeros(step: Sums) -> Codes:
    """The zero point of the weights of each output."""
    zeros = step.products.weight.grid.zero_point.reshape(-1)
    return np.broadcast_to(zeros, step.products.bias.shape)
