"""What a file is that is no CSV, by its first bytes, and what to do about it."""

import re

from octet.errors import OctetError

_KINDS = (
    (rb"PK\x03\x04", "a ZIP archive, as .npz and .xlsx are", "save its array as .npy, or as CSV"),
    (rb"\x93NUMPY", "an array of NumPy", "name the file, and let its name end in .npy"),
    (rb".{6}\x00\x00\{", "a .safetensors file", "name it, and let its name end in .safetensors"),
    (rb"\x00\x00[\x08\x09\x0b-\x0e][\x01-\x08]", "an IDX file, as MNIST has", "save it as .npy"),
    (rb"\x1f\x8b", "a gzip file", "pipe what `gzip -dc` makes of it"),
    (rb"BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd", "a compressed file", "decompress it"),
    (rb"PAR1", "a Parquet file", "save it as CSV"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", "save its pixels as .npy"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16", "save it as UTF-8"),
    (rb".{0,1}\x00", "bytes that are no text", "save it as one of these"),
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
