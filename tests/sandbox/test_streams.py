"""The pieces that streams pass through."""

import pytest

from sandbox.container import FrameReader
from sandbox.program import Capture


def frame(stream, data):
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 1000])
def test_frames_in_pieces_of_any_size(size):
    sent = frame(1, b"out one\n") + frame(2, b"err") + frame(1, b"") + frame(1, b"out two")
    reader = FrameReader()
    streams = {1: b"", 2: b""}
    for start in range(0, len(sent), size):
        for stream, data in reader.feed(sent[start : start + size]):
            streams[stream] += data
    assert streams == {1: b"out one\nout two", 2: b"err"}


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_capture_keeps_both_ends(size):
    capture = Capture(8)
    text = b"abcdefghijkl"
    for start in range(0, len(text), size):
        capture.add(text[start : start + size])
    assert capture.text == "abcd\n[4 bytes dropped]\nijkl"


def test_a_capture_within_its_limit_is_whole():
    capture = Capture(8)
    capture.add(b"abcdefgh")
    assert capture.text == "abcdefgh"
