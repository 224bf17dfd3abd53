"""The lines of a text file, decoded one by one, so that one line in another encoding costs no other line."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import charset_normalizer

from records.errors import DataError
from records.readers.source import OtherEncoding

_SAMPLE = 256 * 1024
"""Bytes that are looked at to tell an encoding."""
_LONGEST_LINE = 64 * 2**20
"""Bytes. What is longer is no text file that a program made to be read by lines."""
_EVIDENCE = 64
"""With fewer bytes beyond ASCII a guess is worth nothing, and cp1252 is taken."""
_EVEN = 0.05
"""A difference in charset-normalizer's measure of disorder (0 to 1) that says nothing."""
_USUAL = "cp1252"
_KNOWN = [
    _USUAL, "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "koi8_r", "iso8859_2", "gb18030", "big5", "cp932", "euc_jp", "cp949",
]  # fmt: skip
"""What text files are found in besides UTF-8; a wider choice makes the guess worse."""


class Lines:
    """The lines of a text file, each with its line end (LF; CR only where the file has no LF near its beginning).

    UTF-8 and UTF-16 with a byte order mark are read as such. In any other file each line is read as UTF-8, and
    a line that is not UTF-8 in the encoding that the lines like it appear to be in, else in cp1252. Iterating
    raises DataError with the line where that fails too, and where there is a NUL. May be iterated many times.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            start = stream.read(_SAMPLE)
        self._utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        self._bom = start.startswith(codecs.BOM_UTF8)
        self._cr = b"\r" in start and b"\n" not in start
        self._fallback: str | None = None
        self._other: dict[str, int] = {}
        self._other_first: list[int] = []

    @property
    def encoding(self) -> str:
        """The encoding of the file, as far as it has been read."""
        if self._utf16:
            return "utf-16"
        return "utf-8-sig" if self._bom else "utf-8"

    @property
    def other_encoding(self) -> OtherEncoding | None:
        """The lines of the last reading that were in another encoding."""
        if not self._other:
            return None
        return OtherEncoding(
            encodings=tuple(self._other), lines=sum(self._other.values()), first_lines=tuple(self._other_first)
        )

    def __iter__(self) -> Iterator[str]:
        self._other, self._other_first = {}, []
        for number, line in enumerate(self._utf16_lines() if self._utf16 else self._byte_lines(), start=1):
            if "\0" in line:
                raise self._error(number, "a NUL character: this is no text file, or UTF-16 without a byte order mark")
            if len(line) >= _LONGEST_LINE:
                raise self._error(number, f"the line is longer than {_LONGEST_LINE:,} characters")
            yield line

    def _error(self, line: int, reason: str) -> DataError:
        return DataError(str(self._path), reason, place=f"line {line}", next_step="Save the file as UTF-8 text.")

    def _utf16_lines(self) -> Iterator[str]:
        number = 0
        try:
            with self._path.open(encoding="utf-16", newline="\r" if self._cr else "\n") as stream:
                while line := stream.readline(_LONGEST_LINE):
                    number += 1
                    yield line
        except UnicodeError as error:
            raise self._error(number + 1, f"the text is not valid UTF-16: {error}") from error

    def _byte_lines(self) -> Iterator[str]:
        offset = 0
        for number, raw in enumerate(self._raw_lines(), start=1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                line = self._decode_otherwise(raw, number, offset)
            offset += len(raw)
            yield line

    def _raw_lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as stream:
            if not self._cr:
                while line := stream.readline(_LONGEST_LINE):
                    yield line
                return
            rest = b""
            while chunk := stream.read(_SAMPLE):
                *whole, rest = (rest + chunk).split(b"\r")
                yield from (line + b"\r" for line in whole)
                if len(rest) >= _LONGEST_LINE:
                    break
            if rest:
                yield rest

    def _decode_otherwise(self, raw: bytes, number: int, offset: int) -> str:
        if self._fallback is None:
            self._fallback = _guess_encoding(self._path, offset)
        if len(self._other_first) < 20:
            self._other_first.append(number)
        for encoding in dict.fromkeys((self._fallback, _USUAL)):
            try:
                line = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            self._other[encoding] = self._other.get(encoding, 0) + 1
            return line
        raise self._error(number, f"the line is neither UTF-8 nor {self._fallback}")


def _guess_encoding(path: Path, offset: int) -> str:
    """Tell the encoding of the lines from `offset` (bytes) on that are not UTF-8, from a bounded sample of them."""
    with path.open("rb") as stream:
        stream.seek(offset)
        sample = b"".join(line for line in stream.read(_SAMPLE).splitlines(keepends=True) if not _is_utf8(line))
    if sum(byte >= 0x80 for byte in sample) < _EVIDENCE:
        return _USUAL
    matches = charset_normalizer.from_bytes(sample, cp_isolation=_KNOWN)
    best = matches.best()
    if best is None:
        return _USUAL
    for match in matches:
        # Western text often looks as good in a neighbour of cp1252: then it is cp1252, by far the commoner.
        as_good = match.coherence >= best.coherence and match.chaos <= best.chaos + _EVEN
        if as_good and _USUAL in match.could_be_from_charset:
            return _USUAL
    return best.encoding


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
