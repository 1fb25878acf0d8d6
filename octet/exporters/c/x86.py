"""One C99 file for PCs: eight outputs of many pixels at once, with VNNI, AVX2, or loops.

Rows stream as in `small`, but with a border of zeros around them: a kernel's row lies together in
memory, and nothing is copied to be multiplied. Pools are done on sums where they can be, and the
order of turns is in the file.
"""

from collections.abc import Iterable

import numpy as np

from octet.errors import OctetError
from octet.exporters.c import lanes, proof, schedule, small
from octet.exporters.c.lowering import Program
from octet.exporters.c.plan import Step, Sums
from octet.exporters.c.text import lines, narrowest, single
from octet.layers.integers import LARGEST_SUM

# Codes behind a row: a kernel's row may see three, and eight are stored where one is left.
_SLACK = 8


def write(program: Program, name: str) -> small.Parts:
    """The parts of the file of a program; arguments as of `small.write`."""
    return _Writer(lanes.with_pools(program), name).parts()


class _Writer(small.Writer):
    _alike = False

    def _template(self, name: str, **words: str) -> str:
        own = name in ("struct", "rows", "begin", "run")
        return super()._template(f"x86_{name}" if own else name, **words)

    def _kind(self, step: Step) -> str:
        if not isinstance(step, Sums):
            return super()._kind(step)
        place = next(i for i, other in enumerate(self._steps) if other is step)
        return f"{'SUMS' if step.products.groups == 1 else 'GROUPED'}_{place}"

    def _case(self, step: Step) -> str:
        """A convolution has code of its own: compilers know its numbers there."""
        if not isinstance(step, Sums):
            return super()._case(step)
        kind, place = self._kind(step).rsplit("_", 1)
        call = f"{self._name}_{kind.lower()}(state, &{self._name}_steps[{place}], to, turn);"
        return f"    case {self._upper}_{kind}_{place}:\n        {call}\n        break;\n"

    def _fields(self, i: int) -> dict[str, object]:
        fields = super()._fields(i)
        fields.pop("turns")  # their order is in the file
        return fields

    def _products(self, step: Sums, n: int) -> dict[str, object]:
        """The weights less their zero point, and the bias less what z_x is in all sums."""
        products, outputs = step.products, len(step.products.bias)
        sums = _steps(step).reshape(outputs, -1)
        offsets = products.bias.astype(np.int64) - step.entering_zero * sums.sum(axis=1)
        largest = int(np.max(255 * np.abs(sums).sum(axis=1) + np.abs(offsets)))
        if largest > LARGEST_SUM:
            raise OctetError(
                f"layer {step.layer}: sums up to {largest} on the way leave int32 in C"
            )
        factors = np.broadcast_to(proof.factor(products.m), offsets.shape)
        behind = -outputs % lanes.LANES
        numbers = [*offsets.tolist(), *[0] * behind]
        singles = [*map(single, factors.tolist()), *["0.0f"] * behind]
        self._bytes += 8 * len(numbers)
        own = self._in_tiles(step, n) if products.groups == 1 else self._by_weight(step, n)
        return own | {
            "offsets": self._array("int32_t", f"offsets_{n}", len(numbers), map(str, numbers)),
            "factors": self._array("float", f"factors_{n}", len(singles), singles),
        }

    def _in_tiles(self, step: Sums, n: int) -> dict[str, object]:
        passes = lanes.in_bytes(_steps(step))
        words, of_row = lanes.in_words(passes)
        with_vnni = lanes.tiles(step, lanes.REGISTERS_OF_VNNI)
        without = lanes.tiles(step, lanes.REGISTERS_OF_AVX2)
        self._bytes += words.size
        self._say_weights(step)
        alone = lanes.in_a_row(_steps(step))
        return {
            "words": of_row,
            "passes": len(passes),
            "block": words.size // lanes.blocks_of(step),
            "length": alone.shape[1],
            "outputs": alone.shape[0],
            "pool": step.pool,
            "together": self._by_machine(with_vnni[0].pixels, without[0].pixels),
            "tile": self._by_machine(*map(self._named, (with_vnni[0], without[0]))),
            "last_tile": self._by_machine(*map(self._named, (with_vnni[1], without[1]))),
            "data": self._either(n, words, alone),
        }

    def _named(self, tile: lanes.Tile) -> str:
        return f"{self._upper}_TILE_{tile}"

    def _by_machine(self, with_vnni: object, without: object) -> str:
        if with_vnni == without:
            return str(without)
        return f"{self._upper}_VNNI ? {with_vnni} : {without}"

    def _either(self, n: int, words: lanes.Integers64, alone: lanes.Integers64) -> str:
        """Weights as AVX2 takes them, and as loops do."""
        each = (f"{self._upper}_WORD({', '.join(map(_four, word))})" for word in words.tolist())
        self._arrays.append("#if defined(__AVX2__)\n")
        self._array(f"{self._name}_weight", f"weights_{n}", words.size, each)
        self._arrays.append("#else\n")
        values = map(str, alone.reshape(-1).tolist())
        name = self._array(f"{self._name}_weight", f"weights_{n}", alone.size, values)
        self._arrays.append("#endif\n")
        return name

    def _by_weight(self, step: Sums, n: int) -> dict[str, object]:
        weights = _steps(step).transpose(2, 3, 1, 0).reshape(-1).tolist()
        return {
            "groups": step.products.groups,
            "data": self._weights("int16_t", n, map(str, weights), step),
        }

    def _borders(self) -> list[tuple[int, int, int, int]]:
        """Of each image: pixels in front of a row and behind, numbers in all, and the zero."""
        borders = []
        for i, (channels, _, width) in enumerate(self._images):
            users = [s for s in self._steps if isinstance(s, Sums) and i - 1 in s.sources]
            left = max((step.window.padding[1] for step in users), default=0)
            right = max((step.window.padding[3] for step in users), default=0)
            zero = users[0].entering_zero if users else 0
            borders.append((left, right, (left + width + right) * channels + _SLACK, zero))
        return borders

    def _places(self) -> tuple[list[int], int]:
        sizes = [
            pitch * (waiting + 1)
            for (_, _, pitch, _), waiting in zip(
                self._borders(), self._program.waiting, strict=True
            )
        ]
        ends = np.cumsum(sizes)
        return [0, *map(int, ends[:-1])], int(ends[-1])

    def _image_table(self, rows_at: list[int]) -> list[tuple[int, ...]]:
        images = super()._image_table(rows_at)
        return [(*image, *border) for image, border in zip(images, self._borders(), strict=True)]

    def _state(self, size: str, rows: int) -> list[tuple[str, int]]:
        del size
        count = len(self._steps)
        fields = [
            (f"int32_t sums[{self._sums_at}];", 4 * self._sums_at),
            (f"int32_t had, turns[{count}], made[{count + 1}];", 4 * (2 * count + 2)),
            # The interface does not know whether codes are bytes.
            (f"int16_t rows[{rows}];", 2 * rows),
        ]
        return [(line, size) for line, size in fields if size]

    def _turns(self) -> dict[str, str]:
        program = self._program
        after = schedule.order(self._steps, program.entering.image[1], program.output.step)
        flat = [step for steps in after for step in steps]
        counts = list(map(len, after))
        return {
            "SIZE": narrowest(max([*flat, *counts])),
            "TURNS": str(len(flat)),
            "ORDER": lines(map(str, flat)),
            "COUNTS": lines(map(str, counts)),
        }

    def _tables(self, fields: list[dict[str, object]], rows_at: list[int]) -> str:
        names = ", ".join(map(self._named, self._shapes()))
        declared = f"enum {{ {names} }};\n\n" if names else ""
        return declared + super()._tables(fields, rows_at)

    def _shapes(self) -> list[lanes.Tile]:
        sums = [s for s in self._steps if isinstance(s, Sums) and s.products.groups == 1]
        machines = lanes.REGISTERS_OF_VNNI, lanes.REGISTERS_OF_AVX2
        each = {tile for step in sums for n in machines for tile in lanes.tiles(step, n)}
        return sorted(each, key=str)

    def _kernel(self, name: str) -> Iterable[str]:
        if name not in ("sums", "window"):
            yield from super()._kernel(name)
            return
        if name == "window":
            return
        grouped = {s.products.groups > 1 for s in self._steps if isinstance(s, Sums)}
        yield self._template("x86_inline")
        if False in grouped:
            yield "#if defined(__AVX2__)\n"
            yield self._template("x86_lanes")
            for tile in self._shapes():
                yield self._template("x86_tile", **lanes.tile_words(tile))
            cases = "\n".join(map(self._tile_case, self._shapes()))
            yield self._template("x86_sums", TILES=cases.lstrip())
            longest = max(lanes.length(step) for step in self._steps if isinstance(step, Sums))
            yield "#else\n" + self._template("x86_loops", LONGEST=str(longest)) + "#endif\n\n"
        if True in grouped:
            yield self._template("x86_grouped")

    def _tile_case(self, tile: lanes.Tile) -> str:
        return (
            f"            case {self._named(tile)}:\n"
            f"                i -= {tile.blocks};\n"
            f"                {self._name}_tile_{tile}(\n"
            "                    rows, step, i, from, to + x * outputs + 8 * i, apart, outputs);\n"
            "                break;"
        )


def _steps(step: Sums) -> lanes.Integers64:
    """The weights less their zero point."""
    weight = step.products.weight
    return weight.codes - weight.grid.zero_point.astype(np.int64).reshape(-1, 1, 1, 1)


def _four(weights: list[int]) -> str:
    return f"({', '.join(map(str, weights))})"
