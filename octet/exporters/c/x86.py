"""One C99 file for PCs: eight outputs of many pixels at once, with VNNI, AVX2, or loops.

Rows stream as in `small`, but with a border of zeros around them: a kernel's row lies together in
memory, and nothing is copied to be multiplied. Pools are done on sums where they can be, and the
order of turns is in the file.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from octet.errors import OctetError
from octet.exporters.c import depthwise, lanes, proof, schedule, small
from octet.exporters.c.depthwise import EachTile
from octet.exporters.c.lowering import Program
from octet.exporters.c.plan import Step, Sums
from octet.exporters.c.text import lines, narrowest, single
from octet.layers.integers import LARGEST_SUM

# Codes that are stored at once, where one may be left; behind it there is room for the others.
_STORED = 32

Tile = lanes.Tile | EachTile


def write(program: Program, name: str) -> small.Parts:
    """The parts of the file of a program; arguments as of `small.write`."""
    return _Writer(lanes.with_pools(program), name).parts()


class _Writer(small.Writer):
    _alike = False

    def _template(self, name: str, **words: str) -> str:
        own = name in ("struct", "code", "pool", "rows", "begin", "run")
        return super()._template(f"x86_{name}" if own else name, **words)

    def _kind(self, step: Step) -> str:
        if not isinstance(step, Sums):
            return super()._kind(step)
        place = next(i for i, other in enumerate(self._steps) if other is step)
        alone = step.products.groups == 1
        kind = "SUMS" if alone else "DEPTHWISE" if depthwise.is_depthwise(step) else "GROUPED"
        return f"{kind}_{place}"

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
        behind = -outputs % _STORED
        numbers = [*offsets.tolist(), *[0] * behind]
        singles = [*map(single, factors.tolist()), *["0.0f"] * behind]
        self._bytes += 8 * len(numbers)
        if products.groups == 1:
            own = self._in_tiles(step, n)
        elif depthwise.is_depthwise(step):
            own = self._by_channel(step, n)
        else:
            own = self._by_weight(step, n)
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
        each = [f"{self._upper}_WORD({', '.join(map(_four, word))})" for word in words.tolist()]
        weights = {"defined(__AVX2__)": (words.size, each), "": _numbers(alone)}
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
            "data": self._by_instructions(n, weights),
        }

    def _named(self, tile: Tile) -> str:
        return f"{self._upper}_TILE_{tile}"

    def _by_machine(self, with_vnni: object, without: object) -> str:
        if with_vnni == without:
            return str(without)
        return f"{self._upper}_VNNI ? {with_vnni} : {without}"

    def _by_instructions(self, n: int, weights: Mapping[str, tuple[int, Sequence[str]]]) -> str:
        """As those take them that a compiler may use, by condition; without one, the last."""
        name, start = "", "#if"
        for condition, (count, values) in weights.items():
            self._arrays.append(f"{start} {condition}\n" if condition else "#else\n")
            start = "#elif"
            name = self._array(f"{self._name}_weight", f"weights_{n}", count, values)
        self._arrays.append("#endif\n")
        return name

    def _by_channel(self, step: Sums, n: int) -> dict[str, object]:
        machines = depthwise.ROWS_OF_VNNI, depthwise.ROWS_OF_AVX2
        with_vnni, without = (depthwise.in_rows(_steps(step), rows) for rows in machines)
        tiles = [depthwise.tile(step, rows) for rows in machines]
        self._bytes += with_vnni.size
        self._say_weights(step)
        tile = self._by_machine(*map(self._named, tiles))
        weights = {
            f"{self._upper}_VNNI": _numbers(with_vnni),
            "defined(__AVX2__)": _numbers(without),
            "": _numbers(_by_place(step)),
        }
        return {
            "groups": step.products.groups,
            "passes": with_vnni.shape[1],
            "block": self._by_machine(*(with_vnni[0].size // 4, without[0].size // 2)),
            "outputs": self._by_machine(*(depthwise.channels_of(step, rows) for rows in machines)),
            "pool": 1,
            "together": self._by_machine(*(tile.pixels for tile in tiles)),
            "tile": tile,
            "last_tile": tile,
            "data": self._by_instructions(n, weights),
        }

    def _by_weight(self, step: Sums, n: int) -> dict[str, object]:
        _, weights = _numbers(_by_place(step))
        return {
            "groups": step.products.groups,
            "data": self._weights("int16_t", n, weights, step),
        }

    def _borders(self) -> list[tuple[int, int, int, int]]:
        """Of each image: pixels in front of a row and behind, numbers in all, and the zero."""
        borders = []
        for i, (channels, _, width) in enumerate(self._images):
            users = [s for s in self._steps if isinstance(s, Sums) and i - 1 in s.sources]
            left = max((step.window.padding[1] for step in users), default=0)
            right = max((step.window.padding[3] for step in users), default=0)
            zero = users[0].entering_zero if users else 0
            borders.append((left, right, (left + width + right) * channels + _STORED, zero))
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

    def _shapes(self) -> list[Tile]:
        sums = [step for step in self._steps if isinstance(step, Sums)]
        tiles = set[Tile]()
        for step in sums:
            if step.products.groups == 1:
                tiles.update(lanes.tiles(step, lanes.REGISTERS_OF_VNNI))
                tiles.update(lanes.tiles(step, lanes.REGISTERS_OF_AVX2))
            elif depthwise.is_depthwise(step):
                tiles.add(depthwise.tile(step, depthwise.ROWS_OF_VNNI))
                tiles.add(depthwise.tile(step, depthwise.ROWS_OF_AVX2))
        return sorted(tiles, key=str)

    def _kernel(self, name: str) -> Iterable[str]:
        kinds = {self._kind(step).split("_")[0] for step in self._steps}
        if name not in ("sums", "window"):
            yield from super()._kernel(name)
            return
        if name == "window":
            return
        yield self._template("x86_inline")
        if "GROUPED" in kinds:
            yield self._template("x86_grouped")
        if kinds & {"SUMS", "DEPTHWISE"}:
            yield "#if defined(__AVX2__)\n"
            yield from self._with_vectors()
            yield "#else\n"
            yield from self._in_loops(kinds)
            yield "#endif\n\n"

    def _with_vectors(self) -> Iterable[str]:
        shapes = self._shapes()
        yield self._template("x86_lanes")
        whole = [tile for tile in shapes if isinstance(tile, lanes.Tile)]
        if whole:
            yield self._template("x86_spread")
        for tile in whole:
            yield self._template("x86_tile", **lanes.tile_words(tile))
        each = [tile for tile in shapes if isinstance(tile, EachTile)]
        if each:
            yield self._template("x86_channels")
        for shape in each:
            yield self._template("x86_each", **depthwise.tile_words(shape))
        cases = "\n".join(map(self._tile_case, shapes))
        yield self._template("x86_sums", TILES=cases.lstrip())

    def _in_loops(self, kinds: set[str]) -> Iterable[str]:
        if "SUMS" in kinds:
            longest = max(lanes.length(step) for step in self._steps if isinstance(step, Sums))
            yield self._template("x86_loops", LONGEST=str(longest))
        if "DEPTHWISE" in kinds:
            yield "" if "GROUPED" in kinds else self._template("x86_grouped")
            yield f"#define {self._name}_depthwise {self._name}_grouped\n"

    def _tile_case(self, tile: Tile) -> str:
        blocks = f"{self._upper}_ATONCE" if isinstance(tile, EachTile) else tile.blocks
        return (
            f"            case {self._named(tile)}:\n"
            f"                i -= {blocks};\n"
            f"                {self._name}_tile_{tile}(\n"
            "                    rows, step, i, from, to + x * outputs + 8 * i, apart, outputs);\n"
            "                break;"
        )


def _steps(step: Sums) -> lanes.Integers64:
    """The weights less their zero point."""
    weight = step.products.weight
    return weight.codes - weight.grid.zero_point.astype(np.int64).reshape(-1, 1, 1, 1)


def _by_place(step: Sums) -> lanes.Integers64:
    """Weights of all outputs, place by place: ``(tall, wide, channels, outputs)``."""
    return _steps(step).transpose(2, 3, 1, 0)


def _numbers(weights: lanes.Integers64) -> tuple[int, list[str]]:
    return weights.size, list(map(str, weights.reshape(-1).tolist()))


def _four(weights: list[int]) -> str:
    return f"({', '.join(map(str, weights))})"
