"""Codes of 2 to 16 bits to bytes and back: code i occupies bits [i·b, (i+1)·b), low bit first."""

import math

import numpy as np
import numpy.typing as npt

from octet.affine import Codes, code_dtype
from octet.errors import OctetError

_TOGETHER = 2**16  # codes; whole bytes at every width


def packed_size(count: int, bits: int) -> int:
    """Bytes that ``count`` codes of ``bits`` bits take: ceil(count · bits / 8)."""
    return -(-count * bits // 8)


def pack(codes: Codes, bits: int) -> npt.NDArray[np.uint8]:
    """Lay codes end to end without a gap; the last byte is filled up with zeros.

    Two 4-bit codes a, b make the byte a + 16·b, as in ONNX's UINT4.

    Args:
        codes: any shape, read in C order; each below 2**bits.

    Returns:
        uint8, shape ``(packed_size(codes.size, bits),)``.

    Raises:
        OctetError: a code does not fit.
    """
    if codes.size and int(codes.max()) >> bits:
        raise OctetError(f"codes: got {codes.max()}; allowed are 0 to {(1 << bits) - 1}")
    flat = codes.reshape(-1, 1).astype("<u2")
    as_bits = np.unpackbits(flat.view(np.uint8), axis=1, bitorder="little", count=bits)
    return np.packbits(as_bits.reshape(-1), bitorder="little")


def unpack(packed: npt.NDArray[np.uint8], shape: tuple[int, ...], bits: int) -> Codes:
    """The inverse of `pack`.

    Raises:
        OctetError: the byte count does not belong to the shape, or a padding bit is set.
    """
    count = math.prod(shape)
    refuse_packed(packed, count, bits)
    if bits == 8:
        return packed.reshape(shape)
    codes = np.empty(count, code_dtype(bits))
    for start in range(0, count, _TOGETHER):
        end = min(start + _TOGETHER, count)
        part = packed[start * bits // 8 : packed_size(end, bits)]
        codes[start:end] = _unpack_some(part, end - start, bits)
    return codes.reshape(shape)


def refuse_packed(packed: npt.NDArray[np.uint8], count: int, bits: int) -> None:
    """Raise an OctetError if these are not the bytes of so many codes, as `unpack` does."""
    if packed.shape != (packed_size(count, bits),):
        raise OctetError(
            f"packed codes: got {packed.size} bytes; "
            f"{count} codes of {bits} bits take {packed_size(count, bits)}"
        )
    used = count * bits % 8
    if used and packed[-1] >> used:
        raise OctetError("packed codes: the padding bits of the last byte must be 0")


def _unpack_some(packed: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[np.uint16]:
    """So many codes, at 16 bytes of memory each."""
    wide = np.zeros((count, 16), np.uint8)
    wide[:, :bits] = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(-1, bits)
    return np.packbits(wide, axis=1, bitorder="little").view("<u2").reshape(count)
