"""What a header of a model file may claim that is not so, and what is said of it."""

from typing import Any

# Where the layers of `networks.images` stand; what enters the second convolution is (4, 4, 4).
QUANTIZE, FIRST, RELU, POOL, SECOND, THIRD, MEAN, LAST = 1, 2, 3, 4, 5, 7, 8, 9

# The network, what to put where into its header, and a part of the message.
Lie = tuple[str, dict[str, Any], str]

NO_HEADER = "the header does not describe a network ("
NO_SIZE = (0, -1, True, 3.0, "3", None)
RELUS, FLAT = {"kind": "relu"}, {"kind": "flatten"}
INT32 = "an int32 bias outside of integer layers"
GRID = "a layer has a grid of its output where and only where"


def images(key: str, value: object, message: str) -> Lie:
    """A lie about the network on images."""
    return "images", {key: value}, message


def layer(i: int, key: str, value: object, message: str) -> Lie:
    """A lie about one of its layers."""
    return images(f"layers.{i}.{key}", value, message)


LIES: dict[str, list[Lie]] = {
    "shape": [
        *[images("shape", [2, 8, n], f"got {n!r} for an integer of at least 1") for n in NO_SIZE],
        *[
            images("shape", shape, NO_HEADER)
            for shape in ([], [2], [8, 8], [2, 8, 8, 1], None, 2, "288", {}, ["2", "8", "8"])
        ],
        *[
            images("shape", [n, 8, 8], f"got images of {64 * n} numbers; allowed are {2**20}")
            for n in (10**9, 10**30)
        ],
        # Every layer has few weights, and what comes between them would be large.
        images("shape", [2, 512, 512], f"layer 2 (conv2d): {512 * 512 * 18} numbers at once; allo"),
    ],
    "white": [
        *[images("white", n, f"got {n!r} for an integer of at least 1") for n in NO_SIZE],
        images("white", 2**16, "got white 65536; allowed are 1 to 65535"),
    ],
    "array": [
        images("array", [2, 8, 8], "got array and shape; allowed is one of them"),
        images("features", ["a"], "got features and shape; allowed is one of them"),
        *[("array", {"array": shape}, "axes; allowed are 1 to 4") for shape in ([], [1] * 5)],
        *[("array", {"array": shape}, NO_HEADER) for shape in (None, 3, "3", [0], [True])],
        ("array", {"array": [2**21]}, f"got an array of {2**21} numbers; allowed are {2**20}"),
    ],
    "table": [
        ("text", {"table": []}, "a table of nothing but numbers without gaps, which has features"),
        *[("text", {"table": each}, NO_HEADER) for each in (None, 3, "age", [3], [None], [[]])],
        ("text", {"table.0.unit": "years"}, NO_HEADER),
        ("text", {"table.0.missing": "30"}, "got '30' for a number"),
        ("text", {"table.0.missing": 10**400}, NO_HEADER),
        ("text", {"table.0.name": "city"}, "got 'city' more than once; names must differ"),
        ("text", {"table.0.name": "city=Oslo"}, "got 'city=Oslo' more than once"),
        ("text", {"table.1.missing": "Bonn"}, "got 'Bonn' for what is missing of 'city'"),
        ("text", {"table.1.categories": ["Oslo"]}, "got categories ('Oslo',) of 'city'; allowed"),
        ("text", {"table.1.categories": ["Oslo", ""]}, "got categories ('Oslo', '') of 'city'"),
        (
            "text",
            {"table.1.name": "x" * 10_000, "table.1.categories": ["Oslo", *map(str, range(999))]},
            "names of features of more than 4194304 characters",
        ),
        ("text", {"table.1.categories": ["Rome", "Oslo"]}, "layer 0 (linear): 0.weight: got floa"),
    ],
    "classes": [
        *[
            images("classes", names, "names must be strings")
            for names in ([1, 2, 3], ["a", None, "c"], "abc", None, 3, {"a": 1})
        ],
        images("classes", ["a", "b", "a"], "names must differ"),
        images("classes", ["a", "b", " c"], "names must be made of what can be printed"),
        *[
            images(
                "classes", [*names], f"gives shape (3,); {len(names)} classes take ({len(names)}"
            )
            for names in ("", "a", "ab", "abcd")
        ],
    ],
    "kind": [
        *[
            layer(RELU, "kind", kind, f"layer 3: got kind {kind!r}; allowed are add, average_pool")
            for kind in ("Conv2d", "", "relu\n", 3, None)
        ],
        images("layers", [], "holds arrays that no layer names"),
        images("layers", [RELUS] * 1001, "layers: allowed is a list of up to 1000"),
    ],
    "outputs": [
        layer(i, "outputs", n, f"{what}: outputs: got {n!r}; allowed are 1 to {2**20}")
        for i, what in ((FIRST, "layer 2 (conv2d)"), (LAST, "layer 9 (linear)"))
        for n in (*NO_SIZE, 2**20 + 1, 10**30)
    ],
    "window": [
        *[
            layer(POOL, key, n, f"got {n!r} for an integer of at least 0")
            for key in ("side", "stride", "padding")
            for n in (-1, -(10**30))
        ],
        *[
            layer(FIRST, key, n, NO_HEADER)
            for key in ("side", "stride", "padding")
            for n in ("3", None, [3], [3, 3, 3], {})
        ],
        *[layer(FIRST, key, 0, "got a window of") for key in ("side", "stride")],
        *[
            layer(
                FIRST, "padding", n, f"got a window of 3 by 3 with stride (1, 1) and padding ({n}"
            )
            for n in (3, 10**9)
        ],
        *[
            layer(SECOND, "side", n, f"layer 5 (conv2d): got {what} window of {n} by")
            for n, what in ((5, "shape (4, 4, 4); a"), (10**9, "a"), (10**30, "a"))
        ],
        layer(POOL, "side", 9, "got shape (4, 8, 8); a window of"),
        layer(POOL, "side", 10**30, "got a window of"),
        *[layer(FIRST, "side", n, "layer 2 (conv2d): 2.weight: packed codes") for n in (2, 4)],
        # What comes out is small, and what is padded on the way would fill the memory.
        (
            "images",
            {f"layers.{POOL}.side": 4001, f"layers.{POOL}.padding": 2000},
            f"layer 4 (max_pool): {4 * 4008**2} numbers at once; allowed are {2**22}",
        ),
    ],
    "groups": [
        *[layer(FIRST, "groups", n, f"got {n!r} for an integer of at least 1") for n in NO_SIZE],
        layer(FIRST, "groups", 3, "groups: got 3; 2 channels and 4 outputs must be multiples"),
        layer(FIRST, "groups", 2, "layer 2 (conv2d): 2.weight: packed codes"),
    ],
    "what comes in": [
        images(f"layers.{RELU}", FLAT, "layer 4 (max_pool): got shape (256,); allowed is (chan"),
        images(f"layers.{POOL}", FLAT, "layer 5 (conv2d): got shape (256,); allowed is (channels"),
        images(f"layers.{MEAN - 1}", FLAT, "layer 8 (global_average_pool): got shape (12,); allo"),
        images(f"layers.{MEAN}", RELUS, "layer 9 (linear): got shape (6, 2, 2); allowed is one ax"),
        images(f"layers.{RELU}", {"kind": "quantize"}, "layer 3 (quantize): a second quantize"),
        images(f"layers.{RELU}", {"kind": "standardize"}, "standardize behind quantize"),
        images(f"layers.{MEAN + 1}", {"kind": "softmax"}, "softmax among integer layers"),
        images(
            f"layers.{POOL - 1}", {"kind": "max_pool", "side": 1, "stride": 2**70}, "strides from"
        ),
        ("images_in_float", {"layers.2": {"kind": "dequantize"}}, "dequantize without quantize in"),
    ],
    "bits": [
        *[
            layer(i, key, bits, f"{name}: got {bits!r} bits; allowed are 2 to 8")
            for i, key, name in (
                (1, "bits", "1"),
                (2, "output", "2.output"),
                (8, "output", "8.output"),
            )
            for bits in (1, 9, 0, -8, True, 8.0, "8", None)
        ],
        *[
            ("unified", {"layers.1.weight.bits": bits}, f"got {bits!r} bits; allowed are 2 to 16")
            for bits in (1, 17, -4, 4.0, "4", None)
        ],
    ],
    "grids": [
        ("unified", {"layers.1.bias.bits": 3}, "a grid of 4 bits and shape () is shared by codes"),
        ("per_channel", {"layers.1.bias.grid": "1.weight"}, "by codes of 8 bits and shape (2,)"),
        ("unified", {"layers.1.weight.grid": "a\nb"}, "no such array in the file"),
        images(f"layers.{QUANTIZE}", RELUS, f"layer 2 (conv2d): 2.bias: {INT32}"),
        ("per_tensor", {"layers.1.bias": {"bits": 32}}, f"layer 1 (linear): 1.bias: {INT32}"),
        ("images_in_float", {"layers.1.output": 8}, f"layer 1 (conv2d): {GRID}"),
        ("images_in_float", {"layers.7.output": 8}, f"layer 7 (global_average_pool): {GRID}"),
    ],
    "wires": [
        layer(1, "inputs", ["b"], "layer 1 (quantize): inputs: got 'b'; allowed are the names of"),
        layer(1, "inputs", ["input", "input"], "layer 1 (quantize): inputs: got 2; it takes 1"),
        layer(1, "name", "input", "name: got 'input', which is taken; choose another"),
        layer(1, "inputs", [3], "name and inputs of a layer must be strings"),
        layer(1, "name", 3, "name and inputs of a layer must be strings"),
        images(f"layers.{RELU}", {"kind": "add"}, "layer 3 (add): inputs: got 1; it takes 2"),
    ],
}
