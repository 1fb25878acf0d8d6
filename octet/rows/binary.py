"""What a file is that is no CSV, by its first bytes, and what to do about it."""

import re

from octet.errors import OctetError

_BY_PANDAS = "save it as CSV, as in `pandas.{}('rows').to_csv('rows.csv', index=False)`"
_KINDS = (
    (
        rb"PK\x03\x04.{26}[^\x00]{1,80}?\.npy",
        "an .npz archive of NumPy",
        "save one of its arrays, as in `np.save('rows.npy', np.load('rows.npz')['x'])`",
    ),
    (rb"PK\x03\x04", "a ZIP archive, as .xlsx is", "save the sheet in it as CSV"),
    (rb"\x93NUMPY", "an array of NumPy", "name the file, and let its name end in .npy"),
    (rb".{6}\x00\x00\{", "a .safetensors file", "name it, and let its name end in .safetensors"),
    (rb"\x00\x00[\x08\x09\x0b-\x0e][\x01-\x08]", "an IDX file, as MNIST has", "save it as .npy"),
    (rb"\x1f\x8b", "a gzip file in another", "decompress it"),
    (rb"BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd", "a compressed file", "decompress it"),
    (rb"PAR1", "a Parquet file", _BY_PANDAS.format("read_parquet")),
    (rb"ARROW1|FEA1", "an Arrow file", _BY_PANDAS.format("read_feather")),
    (rb"\x89HDF", "an HDF5 file", "save its array as .npy"),
    (rb"\x80[\x02-\x05]", "a pickle, of which none is ever read", "save it as CSV or .npy"),
    (rb"\s*[\[{]", "JSON", _BY_PANDAS.format("read_json")),
    (rb"\s*<(!|html|\?xml)", "a web page or XML", "download the file itself, or save it as CSV"),
    (rb"version https://git-lfs", "what Git LFS leaves for a file", "`git lfs pull` fetches it"),
    (rb"outs:\s", "what DVC leaves for a file", "`dvc pull` fetches it"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", "save its pixels as .npy"),
    (rb".{0,1}\x00", "bytes that are no text, or UTF-16 without its mark", "save it as UTF-8"),
)


def refuse_binary(start: bytes, name: str) -> None:
    """Refuse what only looks broken when it is read as lines of text.

    Args:
        start: the first bytes.
        name: what to call the file in the error.

    Raises:
        OctetError: they are those of another kind of file.
    """
    for pattern, kind, way_out in _KINDS:
        if re.match(pattern, start, re.DOTALL):
            raise OctetError(
                f"{name}: got {kind}; allowed are CSV, .npy and .safetensors: {way_out}"
            )
