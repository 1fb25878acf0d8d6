"""The one exception that is meant for a person to read."""

_LONGEST = 2000


class OctetError(Exception):
    """Something a user can mend: a value, a file, a data set.

    The message is one line: the file or key, what was got, what is allowed and, where it helps,
    what to do. Commands print it and exit with status 1; it never comes with a traceback.
    """

    def __init__(self, message: str) -> None:
        """Make one line of the message; the middle of what nobody would read is left out."""
        text = printable(message)
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
        super().__init__(text)


def printable(text: str) -> str:
    """The text with what does not print escaped: a line break in some file's name for a thing, say.

    So it stays one line, and gives a terminal no orders.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
