"""What a network takes on a device: the numbers of the C file that would be written."""

from dataclasses import replace

import pytest

from octet.exporters import c
from octet.layers import Weighted
from octet.runtime import integer
from stages.report import device
from stages.report.chapter import Chapter
from stages.report.evidence import Evidence
from tests.octet.networks import images, table
from tests.stages import small


def test_its_own_width_has_the_bytes_of_its_c_file(
    systems: list[Evidence], chapters: dict[str, Chapter]
) -> None:
    of_integers = set()
    for each in systems:
        source = c.export(each.quantized, c.Options())
        taken = (source.constant_bytes, source.state_bytes, source.multiply_adds)
        (shown,) = (t for t in chapters[each.name].tables if " on a device" in t.caption)
        rows = {row[0].text: tuple(cell.value for cell in row[1:4]) for row in shown.rows}
        assert taken in rows.values()
        drawn = [p for p in chapters[each.name].pictures if p.caption.startswith("On a device")]
        if integer.is_integer(each.quantized):
            of_integers.add(each.name)
            widths = {p.bits for p in each.sweep if p.rounding == each.rounding}
            assert {f"{bits} bits" for bits in widths} <= rows.keys()
            assert len(drawn) == (len(widths) > 1)
        else:
            assert (len(rows), drawn) == (1, [])
    assert small.IMAGES in of_integers


@pytest.mark.parametrize("bits", range(2, 9))
def test_another_width_takes_what_a_network_of_that_width_takes(bits: int) -> None:
    for network in (images, table):
        sizes = [
            c.export(each, c.Options()).constant_bytes
            for each in (network(0, bits), device.at_width(network(0, 5), bits))
        ]
        # Of each output a bias may take two bytes more, and a zero point that all share none.
        outputs = sum(x.outputs for x in network(0, bits).layers if isinstance(x, Weighted))
        assert sizes[0] == pytest.approx(sizes[1], abs=4 * outputs)


def test_what_has_no_c_file_is_said(systems: list[Evidence]) -> None:
    (own,) = (each for each in systems if each.name == small.IMAGES)
    in_float = replace(own, quantized=replace(own.reference, layers=own.quantized.layers[-1:]))
    shown = device.device(in_float)
    assert shown.sizes == {}
    assert shown.refused.startswith("There is no C file of it: ")
