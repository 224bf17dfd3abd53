"""A program in a container of this machine's Docker engine."""

import contextlib
import os
import select
import time

import docker
from docker.errors import APIError, DockerException
from docker.models.containers import Container
from docker.models.volumes import Volume

from records.errors import SandboxError
from sandbox.base import Limits
from sandbox.box import INSIDE, Box
from sandbox.gate import HELLO
from sandbox.outputs import open_storage
from sandbox.program import Ending, Stream
from sandbox.reaper import Reaper
from sandbox.supervised import KILL_SECONDS, write_all

RESULTS = f"{INSIDE}/out"
START_SECONDS = 60.0
"""How long a container may take to come as far as its gate."""
_CHUNK = 2**16
_LOOK_SECONDS = 0.05
"""Between two looks at whether a container whose streams are closed has ended."""


class ContainedProgram:
    """Attach to a created container and start it, so that no byte of its output is missed.

    It takes over the box, the client, the container and the volume that is its `out/`: `close` removes them. Raises
    DockerException, OSError, or SandboxError where the container does not come as far as its gate.
    """

    def __init__(
        self,
        box: Box,
        client: docker.DockerClient,
        container: Container,
        volume: Volume,
        *,
        limits: Limits,
        reaper: Reaper,
    ) -> None:
        self.box = box
        self._client = client
        self._container = container
        self._volume = volume
        self._limits = limits
        self._reaper = reaper  # kept as long as there is something to reap
        self._ending: Ending | None = None
        self._frames = FrameReader()
        self._streams_ended = False
        wanted = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": 1}
        self._socket = client.api.attach_socket(container.id or "", params=wanted)
        try:
            os.set_blocking(self._socket.fileno(), False)
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), select.POLLIN)
            container.start()
            self.results = self._open_results()
        except BaseException:
            self._detach()
            raise

    def _open_results(self) -> int:
        """Wait at the gate (see `gate.py`), open `out/`, and let the program start."""
        deadline = time.monotonic() + START_SECONDS
        said: list[tuple[Stream, bytes]] | None = []
        while said == [] and (left := deadline - time.monotonic()) > 0:
            said = self.read(left)
        self._container.reload()
        state, volume = self._container.attrs["State"], self._volume.attrs["Mountpoint"]
        places = [f"/proc/{state['Pid']}/root{RESULTS}", volume]  # the latter for root, whatever the runtime
        results = open_storage(places, self._limits.storage) if said == [(1, HELLO)] else None
        if results is None:
            why = state["Error"] or b" ".join(data for _, data in said or []).decode(errors="replace")
            raise SandboxError(
                f"The container did not start, or its out/ cannot be reached: {why or state['Status']}",
                next_step="The engine must be this machine's. With a --sandbox-runtime of its own, run as root.",
            )
        try:
            self.write(b"\n", START_SECONDS)
        except BaseException:
            os.close(results)
            raise
        return results

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
        self._client.api.timeout = int(KILL_SECONDS)  # an engine that hangs must not hold the host
        was_running = self._is_running()
        if was_running:
            self._detach()  # the engine cannot end a container whose output nobody takes
            with contextlib.suppress(APIError):  # it may end in this very moment
                self._container.kill()
            self._container.wait(timeout=KILL_SECONDS)
            self._container.reload()
        state = self._container.attrs["State"]
        return Ending(
            exit_status=None if was_running else state["ExitCode"],
            memory=self._limits.memory if state["OOMKilled"] else 0,
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
        os.close(self.results)
        remove(self._container, self._volume)
        self._client.close()
        self.box.remove()


def remove(*things: Container | Volume) -> None:
    """Remove containers and volumes; what the engine will not remove now is an orphan, and goes at the next start."""
    for thing in things:
        with contextlib.suppress(DockerException, OSError):
            thing.remove(force=True)


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
