"""Lines out of a program's standard output, which comes in pieces of any size."""

from sandbox.base import Cause

LONGEST_LINE = 2**16
"""Bytes; a program that is listened to and writes a longer line breaks the protocol."""


class BrokenProtocol(Exception):
    """What a program said, or left, is not what it may; `cause` is what its end is to be called."""

    def __init__(self, detail: str, cause: Cause = "output") -> None:
        super().__init__(detail)
        self.cause: Cause = cause


class LineReader:
    """Parts a stream into lines."""

    def __init__(self) -> None:
        self._unread = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes. Raises BrokenProtocol where one is too long."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        if max(len(line) for line in (*lines, self._unread)) > LONGEST_LINE:
            raise BrokenProtocol(f"a line of more than {LONGEST_LINE} bytes on standard output")
        return lines
