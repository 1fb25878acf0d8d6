"""Whether numbers are those that were published."""

import hashlib

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray


def check_digest(array: AnyArray, expected: str, name: str) -> None:
    """Raise an OctetError unless this is the SHA-256 of the values, C order, little-endian."""
    little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    digest = hashlib.sha256(little_endian.tobytes()).hexdigest()
    if digest != expected:
        raise OctetError(
            f"{name}: expected numbers with SHA-256 {expected}, got {digest}; "
            "put the original file there"
        )
