"""Attacks on what the host knows. What decides: whether a random secret, planted where the attack is not told, comes
out of it."""

import ctypes
import os
import platform
import tempfile
from pathlib import Path

import pytest

from sandbox.base import Limits, RunSpec
from sandbox.process import ProcessSandbox
from tests.sandbox.attack_ground import Attack, Ground, Scene
from tests.sandbox.attack_places import beside_a_victim, unconfined, weak_container

WORKER = Path(__file__).with_name("programs") / "worker.py"
SESSION_KEYRING, USER_KEYRING, UNLINK = -3, -4, 9
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]


def prepare_proc_environ(ground: Ground) -> Scene:
    ground.spawn("sleep", "60", PLANTED=ground.secret)
    return Scene(succeeded=ground.tells_secret)


def hold_secret(ground: Ground) -> dict[str, object]:
    return {"environment": {"PLANTED": ground.secret}, "user": "0:0"}


def prepare_environment(ground: Ground) -> Scene:
    for name in ("AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "PYTHONPATH"):
        ground.monkeypatch.setenv(name, ground.secret)
    return Scene(succeeded=ground.tells_secret)


def prepare_descriptors(ground: Ground) -> Scene:
    descriptor = os.open(ground.plant_file(), os.O_RDWR)
    ground.stack.callback(os.close, descriptor)
    os.set_inheritable(descriptor, True)
    return Scene(succeeded=ground.tells_secret)


def prepare_file(ground: Ground) -> Scene:
    return Scene((str(ground.plant_file()),), succeeded=ground.tells_secret)


def prepare_other_runs(ground: Ground) -> Scene:
    sandbox = ground.sandbox or ProcessSandbox()
    name = f"rows-{ground.mark}"
    inputs = {"worker.py": WORKER, name: ground.plant_file()}
    other = RunSpec(argv=("python", "in/worker.py"), inputs=inputs, limits=Limits(seconds=60))
    ground.stack.enter_context(sandbox.open(other))
    return Scene((name, tempfile.gettempdir()), succeeded=ground.tells_secret)


def prepare_kernel_log(ground: Ground) -> Scene:
    if os.getuid() != 0:
        pytest.skip("only root can plant a line in the kernel's log")
    Path("/dev/kmsg").write_text(f"{ground.secret}\n")
    return Scene(succeeded=ground.tells_secret)


def prepare_keyring(ground: Ground) -> Scene:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    for keyring in (SESSION_KEYRING, USER_KEYRING):
        secret = ground.secret.encode()
        key = syscall(ADD_KEY, b"user", ground.mark.encode(), secret, len(secret), keyring)
        if key < 0:
            pytest.skip(f"this kernel keeps no keys: {os.strerror(ctypes.get_errno())}")
        ground.stack.callback(syscall, KEYCTL, UNLINK, key, keyring)
    return Scene((ground.mark,), succeeded=ground.tells_secret)


ATTACKS = (
    Attack("proc_environ", prepare_proc_environ, beside_a_victim("pid_mode", hold_secret)),
    Attack("inherited_environment", prepare_environment, unconfined),
    Attack("inherited_descriptors", prepare_descriptors, unconfined),
    Attack("host_file", prepare_file, unconfined),
    Attack("proc_root", prepare_file, unconfined),
    Attack("other_runs", prepare_other_runs, unconfined),
    Attack("kernel_log", prepare_kernel_log, weak_container(cap_add=["SYSLOG"])),
    Attack("keyring", prepare_keyring, unconfined),
)
