"""C as text: constants, strings and comments that nothing from a model file breaks out of."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources

from octet.errors import OctetError, printable

# Words of C17 and C++17, what a self-test calls its own, and what <stdlib.h> declares, which comes
# with the vectors of x86.
_WORDS = """
    a64l abort abs alignas aligned_alloc alignof alloca and asm at_quick_exit atexit atof atoi
    atol atoll auto bcmp bcopy bitand bitor bool break bsearch bzero calloc case catch char
    class clearenv codes compl const constexpr continue default delete div do double drand48
    ecvt else enum erand48 errno exit explicit export extern false fcvt ffs float for free
    friend gcvt getenv getsubopt goto i if index initstate inline int l64a labs ldiv linux llabs
    lldiv long lrand48 main malloc mblen mbstowcs mbtowc mkdtemp mkstemp mktemp mrand48 mutable
    namespace new noexcept not nullptr offsetof operator or posix_memalign private protected
    public putenv qsort quick_exit rand random realloc realpath register restrict return rindex
    rpmatch select setenv setstate short signed sizeof srand srandom state static struct switch
    system template this throw true try typedef typeid typename typeof union unix unsetenv
    unsigned using valloc virtual void volatile wctomb while wrong xor y
"""
# What <float.h>, <stdint.h> and <string.h> declare or may come to (C17, 7.31), and types of POSIX.
_STANDARD = re.compile(
    r"(mem|str|wcs)[a-z]\w*|\w+_t|NULL|RAND_MAX|MB_CUR_MAX|U?INT\w*_(C|MAX|MIN)"
    r"|(DBL|FLT|LDBL|DECIMAL|EXIT|PTRDIFF|SIZE|WCHAR|WINT|SIG_ATOMIC)_\w+"
)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9_.-]+")
_LONGEST_NAME, _LINE = 40, 96


def refuse_name(name: str) -> None:
    """Raise an OctetError unless all names of a C file can begin with this."""
    taken = name in _WORDS.split() or _STANDARD.fullmatch(name)
    if not _IDENTIFIER.fullmatch(name) or taken or len(name) > _LONGEST_NAME:
        raise OctetError(
            f"--name: got {name!r}; allowed is a C identifier of up to {_LONGEST_NAME} letters, "
            "digits and _, that begins with a letter and means nothing else in C or in the file"
        )


def refuse_header(name: str) -> None:
    """Raise an OctetError unless every compiler finds a header of this name."""
    if not _HEADER.fullmatch(name):
        raise OctetError(
            f"--header: got {name!r}; allowed are names of letters, digits, _, . and -"
        )


def template(path: str, name: str, words: Mapping[str, str]) -> str:
    """A file of templates/, in which NAME and other words in capitals stand for something.

    Args:
        path: of the file.
        name: what names begin with.
        words: by what words are replaced, and by what the ends of names that begin with _.
    """
    content = resources.files(__package__).joinpath("templates", path).read_text()
    for word, value in words.items():
        # Of a value nothing is taken for an escape.
        escaped = value.replace("\\", r"\\")
        front = r"\b" if word[0].isalpha() else ""
        content = re.sub(rf"{front}{word}\b", escaped, content)
    content = re.sub(r"\bNAME(?=_[A-Z])", name.upper(), content)
    return re.sub(r"\bNAME(?=_|\b)", name, content)


def comment(text: str) -> str:
    """Text as it may stand in a comment: in ASCII, on one line, and without an end."""
    plain = printable(text).encode("ascii", "backslashreplace").decode()
    return re.sub(r"(?<=[*/])(?=[*/])|(?<=\?)(?=\?)", " ", plain).rstrip("\\ ")


def string(text: str) -> str:
    """A string literal of the text in UTF-8."""
    codes = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "backslashreplace")
    )
    return f'"{"".join(codes)}"'


def array(declaration: str, values: Iterable[str]) -> str:
    """A constant array."""
    return f"static const {declaration} = {{\n{lines(values)}\n}};\n\n"


def lines(values: Iterable[str]) -> str:
    """Values of an array, as many on a line as fit."""
    full, line = [], "   "
    for value in values:
        if len(line) + len(value) + 2 > _LINE and line.strip():
            full.append(line)
            line = "   "
        line += f" {value},"
    return "\n".join([*full, line])


def single(value: float) -> str:
    """A float32, exactly."""
    return f"{float(value).hex()}f"


def narrowest(largest: int) -> str:
    """The type of C that holds 0 to ``largest``."""
    return "uint8_t" if largest < 2**8 else "uint16_t" if largest < 2**16 else "int32_t"


def width(kind: str) -> int:
    """Bytes of a number."""
    return {"uint8_t": 1, "uint16_t": 2, "int16_t": 2}.get(kind, 4)


def int32(value: int) -> str:
    """C has no literal for the least int32."""
    return "-2147483647 - 1" if value == -(2**31) else str(value)
