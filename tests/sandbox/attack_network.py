"""Attacks over the network and the machine's other channels. What decides: whether a listener of the host was reached,
or what the kernel shows of the attack's own network."""

import errno
import socket
import threading
from pathlib import Path

from sandbox.base import RunResult
from sandbox.image import image_name
from tests.sandbox.attack_ground import Attack, Ground, Scene
from tests.sandbox.attack_places import beside_a_victim, unconfined, weak_container

METADATA_ADDRESS = "FEA9FEA9:0050"
"""169.254.169.254, port 80, as the kernel's tables write it."""
SERVE_METADATA = """
import fcntl, socket, struct
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("169.254.169.254"))
fcntl.ioctl(control, 0x8916, address)
server = socket.create_server(("169.254.169.254", 80))
while True:
    server.accept()
"""


def host_addresses() -> list[str]:
    """Return the addresses of this machine: loopback, and the one that its packets leave from."""
    found = ["127.0.0.1", "::1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found.append(probe.getsockname()[0])
        except OSError:
            pass
    return found


class Listener:
    """A service of the host that remembers whether anybody spoke to it."""

    def __init__(self, ground: Ground, listener: socket.socket, *, stream: bool) -> None:
        self.reached = False
        self._listener = listener
        self._listener.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen_stream if stream else self._listen_datagrams)
        self._thread.start()
        ground.stack.callback(self._listener.close)
        ground.stack.callback(self._thread.join)
        ground.stack.callback(self._over.set)

    def was_reached(self, _: RunResult) -> bool:
        self._thread.join(0.3)  # what was sent may still be on its way
        return self.reached

    def _listen_stream(self) -> None:
        while not self._over.is_set():
            try:
                self._listener.accept()[0].close()
                self.reached = True
            except TimeoutError:
                continue

    def _listen_datagrams(self) -> None:
        while not self._over.is_set():
            try:
                self._listener.recv(4096)
                self.reached = True
            except TimeoutError:
                continue


def prepare_tcp(ground: Ground) -> Scene:
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    listener = Listener(ground, server, stream=True)
    arguments = (",".join(host_addresses()), str(server.getsockname()[1]))
    return Scene(arguments, succeeded=listener.was_reached)


def prepare_udp(ground: Ground) -> Scene:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("0.0.0.0", 0))
    listener = Listener(ground, receiver, stream=False)
    arguments = (",".join(host_addresses()), str(receiver.getsockname()[1]))
    return Scene(arguments, succeeded=listener.was_reached)


def prepare_metadata(_: Ground) -> Scene:
    def connects(processes: list[int]) -> bool:
        tables = [Path(f"/proc/{process}/net/tcp").read_text() for process in processes]
        return any(METADATA_ADDRESS in table for table in tables)

    return Scene(watch=connects)


def prepare_docker_socket(ground: Ground) -> Scene:
    client = ground.engine()
    name = f"planted-{ground.mark}"

    def was_made(_: RunResult) -> bool:
        made = client.containers.list(all=True, filters={"name": name})
        for container in made:
            container.remove(force=True)
        return bool(made)

    return Scene((image_name(), name), succeeded=was_made)


def prepare_host_socket(ground: Ground) -> Scene:
    service = socket.socket(socket.AF_UNIX)
    path = ground.plant_file().with_name("service")
    service.bind(str(path))
    path.chmod(0o777)
    service.listen()
    return Scene((str(path),), succeeded=Listener(ground, service, stream=True).was_reached)


def prepare_abstract_socket(ground: Ground) -> Scene:
    name = f"service-{ground.mark}"
    service = socket.socket(socket.AF_UNIX)
    service.bind(f"\0{name}")
    service.listen()
    return Scene((name,), succeeded=Listener(ground, service, stream=True).was_reached)


def prepare_vsock(ground: Ground) -> Scene:
    port = 50_000 + int(ground.mark[-3:], 16)

    def is_taken(_: list[int]) -> bool:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as probe:
            return _bind_error(probe, port) == errno.EADDRINUSE

    return Scene((str(port),), watch=is_taken)


def _bind_error(probe: socket.socket, port: int) -> int:
    try:
        probe.bind((socket.VMADDR_CID_ANY, port))
    except OSError as error:
        return error.errno or 0
    return 0


def prepare_netlink(ground: Ground) -> Scene:
    name = f"evil{ground.mark[-8:]}"

    def is_there(processes: list[int]) -> bool:
        return any(name in Path(f"/proc/{process}/net/dev").read_text() for process in processes)

    return Scene((name,), watch=is_there)


def prepare_raw_packets(_: Ground) -> Scene:
    def listens(processes: list[int]) -> bool:
        tables = [Path(f"/proc/{process}/net/packet").read_text() for process in processes]
        return any(len(table.splitlines()) > 1 for table in tables)  # the first line names the columns

    return Scene(watch=listens)


def serve_metadata(_: Ground) -> dict[str, object]:
    return {"command": ["python", "-c", SERVE_METADATA], "cap_add": ["NET_ADMIN"], "user": "0:0"}


ATTACKS = (
    Attack("egress_tcp", prepare_tcp, unconfined),
    Attack("egress_udp", prepare_udp, unconfined),
    Attack("egress_dns", prepare_udp, unconfined),
    Attack("metadata_address", prepare_metadata, beside_a_victim("network_mode", serve_metadata)),
    Attack("docker_socket", prepare_docker_socket, unconfined),
    Attack("host_socket", prepare_host_socket, unconfined),
    Attack("abstract_socket", prepare_abstract_socket, unconfined),
    Attack("vsock", prepare_vsock, unconfined),
    Attack("netlink", prepare_netlink, weak_container(cap_add=["NET_ADMIN"])),
    Attack("raw_packets", prepare_raw_packets, weak_container()),
)
