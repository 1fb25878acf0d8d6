"""How the CSV that a command reads is written: options that several commands have."""

import argparse

from octet.errors import OctetError
from octet.rows.csv import DECIMALS, SEPARATORS, Dialect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--separator",
        choices=SEPARATORS,
        default=",",
        metavar="CHARACTER",
        help="between the columns of CSV: ',' (if not said), ';', '|', tab or space",
    )
    parser.add_argument(
        "--decimal",
        choices=DECIMALS,
        default=".",
        metavar="CHARACTER",
        help="before the fraction of a number in CSV: '.' (if not said) or ','",
    )
    parser.add_argument(
        "--no-header",
        action="store_true",
        help="the first line of CSV is a row: its columns are in the order of the model, which "
        "`octet info` shows",
    )


def dialect(arguments: argparse.Namespace) -> Dialect:
    """What they say.

    Raises:
        OctetError: one character separates columns and decimals.
    """
    separator = SEPARATORS[arguments.separator]
    if separator == arguments.decimal:
        raise OctetError("--decimal: got ',', which separates columns; use --separator too")
    return Dialect(separator, arguments.decimal, header=not arguments.no_header)
