"""The same codes on other processors, under QEMU: what a self-test says there."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from octet.exporters.c import Options, export
from octet.network import Network
from tests.octet.exporters.compiled import needs, selftest
from tests.octet.networks import anything, images, rows, table

DEVICE = Path(__file__).parent / "device"
ROWS = 5


@dataclass(frozen=True)
class Board:
    """A Cortex-M: what compiles for it, and where QEMU has one.

    Attributes:
        machine: of qemu-system-arm.
        flags: of arm-none-eabi-gcc.
        ram: bytes, as a linker has them.
    """

    machine: str
    flags: tuple[str, ...]
    ram: str


BOARDS = {
    "cortex-m0": Board("microbit", ("-mcpu=cortex-m0",), "16K"),
    "cortex-m3": Board("mps2-an385", ("-mcpu=cortex-m3",), "4M"),
    "cortex-m4f": Board(
        "mps2-an386", ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), "4M"
    ),
}
# Processors under qemu-user: the prefix of a cross compiler, and the name of QEMU's.
OTHERS = {
    "aarch64": ("aarch64-linux-gnu", "qemu-aarch64-static"),
    "armhf": ("arm-linux-gnueabihf", "qemu-arm-static"),
    "riscv64": ("riscv64-linux-gnu", "qemu-riscv64-static"),
    "s390x": ("s390x-linux-gnu", "qemu-s390x-static"),
    # x87: sums in more than float32 and float64.
    "i686": ("i686-linux-gnu", "env"),
}
NETWORKS = {"images": images(3, bits=4), "table": table(1, bits=2), "any": anything(8, 3, True)}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def source(network: Network, target: str = "small") -> str:
    return export(network, Options("net", target), selftest(network, rows(network, ROWS))).c


@every_network
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_board_gives_the_same_codes(network: Network, board: Board, tmp_path: Path) -> None:
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    assert "wrong 0" in on_board(source(network), board, tmp_path)


def on_board(text: str, board: Board, folder: Path, *options: str) -> str:
    """What the self-test of a C file prints."""
    layout = (DEVICE / "flash.ld").read_text().replace("RAM_SIZE", board.ram)
    (folder / "flash.ld").write_text(layout)
    (folder / "all.c").write_text(text + (DEVICE / "start.c").read_text())
    program = folder / "all.elf"
    flags = ["-std=c99", "-O2", "-mthumb", *board.flags, *options, "-DNET_SELFTEST=0"]
    flags += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"]
    link = ["-nostartfiles", "-T", str(folder / "flash.ld"), str(folder / "all.c")]
    subprocess.run(["arm-none-eabi-gcc", *flags, *link, "-o", str(program)], check=True)
    run = ["-nographic", "-semihosting", "-icount", "shift=0", "-kernel", str(program)]
    done = subprocess.run(
        ["qemu-system-arm", "-M", board.machine, *run],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=300,
    )
    return done.stdout


@every_network
@pytest.mark.parametrize("name", OTHERS)
def test_another_processor_gives_the_same_codes(
    network: Network, name: str, tmp_path: Path
) -> None:
    prefix, emulator = OTHERS[name]
    needs(f"{prefix}-gcc", emulator)
    file, program = tmp_path / "net.c", tmp_path / "net"
    # What is for PCs runs on any other, too, if not as fast.
    file.write_text(source(network, "x86" if network is NETWORKS["any"] else "small"))
    flags = ["-std=c99", "-O2", "-static", "-DNET_SELFTEST=1"]
    if name == "i686" and network is NETWORKS["table"]:
        flags += ["-msse2", "-mfpmath=sse"]  # reals need a float64 that is one
    command = [f"{prefix}-gcc", *flags, str(file), "-o", str(program)]
    subprocess.run(command, check=True)
    assert subprocess.run([emulator, str(program)], check=False).returncode == 0
