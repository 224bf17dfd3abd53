"""A program in a container of this machine's Docker engine."""

import contextlib
import os
import select
import time

import docker
from docker.errors import APIError, DockerException
from docker.models.containers import Container

from sandbox.box import Box
from sandbox.program import Ending, Stream
from sandbox.supervised import KILL_SECONDS, write_all

_CHUNK = 2**16
_LOOK_SECONDS = 0.05
"""Between two looks at whether a container whose streams are closed has ended."""


class ContainedProgram:
    """Attach to a created container and start it, so that no byte of its output is missed.

    It takes over the box, the client and the container: `close` removes them. Raises DockerException or OSError.
    """

    def __init__(
        self, box: Box, client: docker.DockerClient, container: Container, *, memory: int, serve: bool
    ) -> None:
        self.box = box
        self._client = client
        self._container = container
        self._memory = memory
        self._ending: Ending | None = None
        self._frames = FrameReader()
        self._streams_ended = False
        wanted = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(serve)}
        self._socket = client.api.attach_socket(container.id or "", params=wanted)
        try:
            os.set_blocking(self._socket.fileno(), False)
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), select.POLLIN)
            container.start()
        except BaseException:
            self._detach()
            raise

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        if self._streams_ended:
            return self._await_end(seconds)
        if not self._poll.poll(seconds * 1000):
            return []
        try:
            data = os.read(self._socket.fileno(), _CHUNK)
        except ConnectionError:
            data = b""
        self._streams_ended = not data
        return self._frames.feed(data)

    def _await_end(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """Return None where the container has ended or the engine no longer answers, else wait a little."""
        try:
            if not self._is_running():
                return None
        except (DockerException, OSError):  # `stop` meets it again, and says so
            return None
        time.sleep(min(seconds, _LOOK_SECONDS))
        return []

    def write(self, data: bytes, seconds: float) -> None:
        write_all(self._socket.fileno(), data, seconds)

    def stop(self) -> Ending:
        if self._ending is None:
            try:
                self._ending = self._stop()
            except (DockerException, OSError) as error:
                self._ending = Ending(None, failure=f"the Docker engine failed: {error}")
        return self._ending

    def _stop(self) -> Ending:
        was_running = self._is_running()
        if was_running:
            with contextlib.suppress(APIError):  # it may end in this very moment
                self._container.kill()
            self._container.wait(timeout=KILL_SECONDS)
            self._container.reload()
        state = self._container.attrs["State"]
        return Ending(
            exit_status=None if was_running else state["ExitCode"],
            memory=self._memory if state["OOMKilled"] else 0,
            failure=state["Error"],
        )

    def _detach(self) -> None:
        """Close the attached stream by the response that it came with: only that closes the connection below."""
        self._socket._response.close()

    def _is_running(self) -> bool:
        self._container.reload()
        return self._container.attrs["State"]["Running"]

    def close(self) -> None:
        self.stop()
        self._detach()
        remove_container(self._container)
        self._client.close()
        self.box.remove()


def remove_container(container: Container) -> None:
    """Remove a container; one that the engine will not remove now is an orphan, and goes at the next start."""
    with contextlib.suppress(DockerException, OSError):
        container.remove(force=True, v=True)


class FrameReader:
    """Parts the engine's stream into its frames: a stream number, three zeros, a length in four bytes, and data.

    Frames come in pieces of any size.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream: Stream = 1
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[Stream, bytes]]:
        found: list[tuple[Stream, bytes]] = []
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
                found.append((self._stream, piece))
                continue
            missing = 8 - len(self._header)
            self._header, data = self._header + data[:missing], data[missing:]
            if len(self._header) == 8:
                self._stream = 2 if self._header[0] == 2 else 1
                self._left = int.from_bytes(self._header[4:], "big")
                self._header = b""
        return found
