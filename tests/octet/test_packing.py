"""Codes to bytes and back: no bit lost, none made up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from octet.affine import Codes, code_dtype
from octet.errors import OctetError
from octet.modelfile.packing import pack, packed_size, unpack

fixed = settings(deadline=None, derandomize=True)

WIDTHS = range(2, 17)


@st.composite
def codes_of_some_width(draw: st.DrawFn) -> tuple[Codes, int]:
    bits = draw(st.integers(2, 16))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
    codes = st.integers(0, 2**bits - 1)
    return draw(hnp.arrays(code_dtype(bits), shape, elements=codes)), bits


@fixed
@given(codes_of_some_width())
def test_unpacking_gives_back_the_codes(given_codes: tuple[Codes, int]) -> None:
    codes, bits = given_codes
    packed = pack(codes, bits)
    assert packed.dtype == np.uint8
    assert packed.shape == (math.ceil(codes.size * bits / 8),)
    unpacked = unpack(packed, codes.shape, bits)
    assert unpacked.dtype == codes.dtype
    assert np.array_equal(unpacked, codes)


@fixed
@given(codes_of_some_width())
def test_codes_lie_end_to_end_low_bit_first(given_codes: tuple[Codes, int]) -> None:
    codes, bits = given_codes
    number = sum(code << (i * bits) for i, code in enumerate(codes.reshape(-1).tolist()))
    size = math.ceil(codes.size * bits / 8)
    assert pack(codes, bits).tobytes() == number.to_bytes(size, "little")


def test_every_code_of_a_width_survives() -> None:
    for bits in WIDTHS:
        every = np.arange(2**bits, dtype=code_dtype(bits))
        assert np.array_equal(unpack(pack(every, bits), every.shape, bits), every)


def test_codes_of_a_transposed_array_are_packed_in_c_order() -> None:
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    assert np.array_equal(unpack(pack(codes, 5), (3, 2), 5), codes)


@pytest.mark.parametrize(("bits", "count", "size"), [(2, 9, 3), (4, 9, 5), (8, 9, 9), (12, 9, 14)])
def test_the_size_is_the_bits_rounded_up_to_bytes(bits: int, count: int, size: int) -> None:
    assert packed_size(count, bits) == size


def test_four_bit_codes_are_two_to_a_byte_the_first_one_low() -> None:
    assert pack(np.array([0x1, 0xA, 0xF], np.uint8), 4).tolist() == [0xA1, 0x0F]


def test_a_code_that_does_not_fit_is_refused() -> None:
    for bits in WIDTHS[:-1]:
        codes = np.array([0, 2**bits - 1, 2**bits], np.uint16)
        allowed = rf"^codes: got {2**bits}; allowed are 0 to {codes[1]}$"
        with pytest.raises(OctetError, match=allowed):
            pack(codes, bits)
        assert unpack(pack(codes[:2], bits), (2,), bits).tolist() == codes[:2].tolist()


def test_a_byte_too_many_or_too_few_is_refused() -> None:
    for bits in WIDTHS:
        packed = pack(np.ones(5, code_dtype(bits)), bits)
        for wrong in (packed[:-1], np.append(packed, np.uint8(0)), packed[:0]):
            with pytest.raises(OctetError, match=rf"got {wrong.size} bytes; 5 codes of {bits} bit"):
                unpack(wrong, (5,), bits)


def test_a_padding_bit_that_is_set_is_refused() -> None:
    for bits in WIDTHS:
        packed = pack(np.full(3, 2**bits - 1, code_dtype(bits)), bits)
        for padding in range(3 * bits, 8 * packed.size):
            wrong = packed.copy()
            wrong[-1] |= 1 << (padding % 8)
            with pytest.raises(OctetError, match="padding bits"):
                unpack(wrong, (3,), bits)
