"""octet import and octet quantize: from a network elsewhere to codes, without the pipeline."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from octet.__main__ import main
from octet.cli.rows import read_rows
from octet.errors import OctetError
from octet.layers import Linear, Softmax
from octet.modelfile import storage
from octet.network import Network
from octet.rows.csv import CSV
from octet.runtime import inference
from octet.signature import Arrays, Classes, Columns, Images, Numbers, Signature

RNG = np.random.default_rng(0)
KERNEL, WEIGHT = (RNG.normal(size=shape).astype(np.float32) for shape in ((4, 2, 3, 3), (3, 4)))


def images(outputs: int = 3) -> bytes:
    """A network from images of (2, 6, 5) to this many outputs, as an ONNX file."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "w"], ["y"], transB=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [info("x", TensorProto.FLOAT, ["rows", 2, 6, 5])],
        [info("y", TensorProto.FLOAT, ["rows", outputs])],
        [numpy_helper.from_array(a, n) for n, a in (("k", KERNEL), ("w", WEIGHT[:outputs]))],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(images())
    Path("one.onnx").write_bytes(images(1))


def octet(monkeypatch: pytest.MonkeyPatch, line: str) -> str:
    """What a command says that it ends with; empty if it does what it should."""
    monkeypatch.setattr("sys.argv", ["octet", *line.split()])
    try:
        main()
    except SystemExit as end:
        return str(end.code or "")
    return ""


@pytest.mark.parametrize(
    ("words", "signature"),
    [
        ("net.onnx", Signature(Arrays((2, 6, 5)), Classes(("0", "1", "2")))),
        ("net.onnx --classes a,b,c", Signature(Arrays((2, 6, 5)), Classes(("a", "b", "c")))),
        ("net.onnx --pixels 255", Signature(Images((2, 6, 5), 255), Classes(("0", "1", "2")))),
        ("one.onnx", Signature(Arrays((2, 6, 5)), Numbers("y", ""))),
        ("one.onnx --target age", Signature(Arrays((2, 6, 5)), Numbers("age", ""))),
        ("one.onnx --classes no,yes", Signature(Arrays((2, 6, 5)), Classes(("no", "yes")))),
    ],
)
def test_import_says_what_it_took_the_network_for(
    words: str,
    signature: Signature,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert octet(monkeypatch, f"import {words} net.safetensors") == ""
    assert storage.load_network(Path("net.safetensors")).signature == signature
    takes, gives = capsys.readouterr().err.splitlines()
    assert takes.startswith("takes ")
    assert gives.startswith("gives ")


@pytest.mark.parametrize("kind", ["npz", "npy", "safetensors"])
def test_what_was_imported_is_quantized_on_rows_of_every_kind(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = RNG.normal(size=(50, 2, 6, 5)).astype(np.float32)
    if kind == "npy":
        np.save("rows.npy", x)
    elif kind == "npz":
        np.savez_compressed("rows.npz", x=x, y=np.zeros(50))
    else:
        Path("rows.safetensors").write_bytes(storage.dump_arrays({}, {"x": x}))
    assert octet(monkeypatch, "import net.onnx net.safetensors") == ""
    assert octet(monkeypatch, f"quantize net.safetensors --rows rows.{kind} --bits 6 q.st") == ""
    quantized = storage.load_network(Path("q.st"))
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    outputs = inference.run(quantized, x.astype(np.float64))
    assert np.max(np.abs(outputs - expected)) < 0.05 * np.ptp(expected)
    assert Path("q.st").stat().st_size < Path("net.safetensors").stat().st_size + 2000


def test_weights_alone_become_codes_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(
        (Linear(WEIGHT, np.zeros(3, np.float32)), Softmax()),
        Signature(Columns(tuple("abcd")), Classes(tuple("xyz"))),
    )
    Path("table.st").write_bytes(storage.dump_network(network))
    rows = "\n".join(",".join(map(str, row)) for row in RNG.normal(size=(20, 4)).tolist())
    Path("rows.csv").write_text(rows)
    words = "quantize table.st q.st --rows rows.csv --no-header --activations none"
    assert octet(monkeypatch, f"{words} --rounding nearest") == ""
    assert [layer.kind for layer in storage.load_network(Path("q.st")).layers] == [
        "linear",
        "softmax",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a\n1\n2\n3\nx\n", ""),
        ("a\n1\n2\nx\n3\n", "rows.csv: line 4: a: got 'x'"),
        ("a\n1\n1e999\n3\n", "rows.csv: line 3: a: got '1e999'"),
        ("a\n", "rows.csv: got no rows"),
        ("", "rows.csv: it is empty"),
    ],
)
def test_the_first_rows_are_refused_if_one_of_them_is_bad(text: str, problem: str) -> None:
    path = Path("rows.csv")
    path.write_text(text)
    signature = Signature(Columns(("a",)), Numbers("y", ""))
    if problem:
        with pytest.raises(OctetError, match=problem):
            read_rows(path, signature, CSV, 3)
    else:
        assert read_rows(path, signature, CSV, 3).tolist() == [[1], [2], [3]]


WRONG = [
    ("import missing.onnx out", "missing.onnx: no such file"),
    ("import net.onnx net.onnx", "net.onnx: this is the file of the network; name another"),
    ("import rows.npy out", "rows.npy: not a whole ONNX model"),
    ("import net.onnx out --classes a,b", "net.onnx: gives shape (3,); 2 classes take (2,)"),
    ("import net.onnx out --classes a,a,b", "net.onnx: names must differ"),
    ("import net.onnx out --columns a,b", "net.onnx: takes rows of shape (2, 6, 5); the data has"),
    ("import net.onnx out --target price", "net.onnx: gives shape (3,); a number takes one output"),
    ("import net.onnx out --pixels 0", "net.onnx: "),
    ("import net.onnx out --pixels 9 --columns a", "not allowed with argument --pixels"),
    ("info net.onnx", "net.onnx: an ONNX file; `octet import net.onnx OUT.safetensors` makes"),
    ("predict net.onnx", "net.onnx: an ONNX file; `octet import "),
    ("quantize net.onnx out --rows rows.npy", "net.onnx: an ONNX file; `octet import "),
    ("quantize net.st out --rows rows.npy --reference rows.npy", "rows.npy: this is the file of"),
    ("quantize net.st out --rows rows.npy --reference ./x/../rows.npy", "this is the file of --r"),
    ("quantize net.st out --rows rows.npy --reference few.npy", "few.npy: got 19 rows to compare"),
    ("quantize net.st out --rows huge.npy", "net.st with huge.npy: "),
    ("quantize net.st out --rows rows.npy --reference huge.npy", "net.st with huge.npy: "),
    ("quantize net.st out", "the following arguments are required: --rows"),
    ("quantize net.st net.st --rows rows.npy", "net.st: this is the file of the model"),
    ("quantize net.st rows.npy --rows rows.npy", "rows.npy: this is the file of the rows; name"),
    ("export net.st --c rows.npy --selftest rows.npy", "rows.npy: this is the file of the rows"),
    ("export net.st --c a.c --header rows.npy --selftest rows.npy", "rows.npy: this is the file"),
    ("export net.st --c a.c --selftest empty.npz", "empty.npz: got no rows"),
    ("export net.st --c a.c --selftest nan.npz", "nan.npz: row 0: got NaN"),
    ("import net.onnx out --classes a,,b", "--classes: name 2 of 3 in 'a,,b' is empty"),
    ("import net.onnx out --columns a,", "--columns: name 2 of 2 in 'a,' is empty"),
    ("quantize net.st out --rows wrong.npz", "wrong.npz: x: got shape (5, 2); allowed is (rows, "),
    ("quantize net.st out --rows names.npz", "names.npz: got arrays a, b; one of the name x"),
    ("quantize net.st out --rows half.npz", "half.npz: not a whole .npz file"),
    ("quantize net.st out --rows pickled.npz", "pickled.npz: x: got object; allowed are integers"),
    ("quantize net.st out --rows last.npz", "; `np.moveaxis(x, -1, 1)` puts the channels first"),
    ("quantize net.st out --rows large.npz", "large.npz: x: got an integer from 2⁵³ on"),
    ("quantize net.st out --rows more.npz", "more.npz: x: got more than the 480 bytes of its sha"),
    ("quantize net.st out --rows less.npz", "less.npz: x: got less than the 480 bytes of its sha"),
    ("quantize net.st out --rows nan.npz", "nan.npz: row 0: got NaN"),
    ("quantize net.st out --rows empty.npz", "got no rows"),
    ("quantize net.st out --rows rows.npy --bits 1", "bits: got 1; allowed is an integer from 2"),
    ("quantize q.st out --rows rows.npy", "quantized already"),
]


def npy(x: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, x)
    return file.getvalue()


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for what goes wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    x = RNG.normal(size=(5, 2, 6, 5))
    np.save(folder / "rows.npy", x)
    np.save(folder / "few.npy", np.zeros((19, 2, 6, 5)))
    np.save(folder / "huge.npy", np.full((20, 2, 6, 5), 1e300))
    np.savez(folder / "wrong.npz", x=np.zeros((5, 2)))
    np.savez(folder / "names.npz", a=x, b=x)
    np.savez(folder / "nan.npz", x=np.full_like(x, np.nan))
    np.savez(folder / "empty.npz", x=x[:0])
    pickled = np.empty((5, 2, 6, 5), object)
    np.savez(folder / "pickled.npz", x=pickled)
    np.savez(folder / "last.npz", x=np.moveaxis(x, 1, -1))
    np.savez(folder / "large.npz", x=np.full(x.shape, 2**53 + 1))
    one = npy(x[:1])
    for name, content in (("more", one + bytes(1 << 20)), ("less", one[:-1])):
        with zipfile.ZipFile(folder / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", content)
    whole = (folder / "wrong.npz").read_bytes()
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.parametrize(("line", "problem"), WRONG)
def test_what_goes_wrong_is_one_line_and_writes_nothing(
    line: str, problem: str, wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in wrong.iterdir():
        shutil.copy(file, tmp_path)
    if ".st" in line:
        assert octet(monkeypatch, "import net.onnx net.st") == ""
    if "q.st" in line:
        assert octet(monkeypatch, "quantize net.st q.st --rows rows.npy --rounding nearest") == ""
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    message = octet(monkeypatch, line)
    assert message.startswith("error: ")
    assert problem in message
    assert message.splitlines() == [message]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
