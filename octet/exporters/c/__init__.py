"""A network as one C99 file, which gives the codes of Octet wherever it runs.

`lowering` makes a plan of a network, without text; `proof` refuses what could come out otherwise;
`small` writes the plan for devices: templates are the files of C in templates/.
"""

from octet.exporters.c.export import TARGETS, Options, Selftest, Source, export

__all__ = ["TARGETS", "Options", "Selftest", "Source", "export"]
