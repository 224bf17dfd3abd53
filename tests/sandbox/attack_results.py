"""Attacks by what is handed back. What decides: what lies on the host where the result was to appear."""

import contextlib
import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path

from sandbox.base import Format, Output, RunResult
from tests.sandbox.attack_ground import LIMITS, MIB, Attack, Ground, Scene
from tests.sandbox.attack_places import unconfined, weak_container

SAFETENSORS_LIES = ("outside", "overlap", "negative", "wrong shape", "long header")


def answer(ground: Ground, format_name: Format, limit: int = 8 * MIB, name: str = "answer") -> dict[str, Output]:
    return {name: Output(ground.path / "target", format_name, limit)}


def shows_secret(ground: Ground, name: str = "answer") -> Scene:
    """A scene of a file of the host that is to appear as a text."""

    def is_shown(_: RunResult) -> bool:
        target = ground.path / "target"
        return target.exists() and ground.secret in target.read_text()

    secret = ground.plant_file("secret")
    path = secret if name == "answer" else secret.parent
    return Scene((str(path),), outputs=answer(ground, "text", name=name), succeeded=is_shown, cause="output")


def prepare_hard_link(ground: Ground) -> Scene:
    scene = shows_secret(ground)
    return replace(scene, inputs={"data": ground.path / "secret"})


def prepare_pipe(ground: Ground) -> Scene:
    def is_waited_for(result: RunResult) -> bool:
        return result.detail == "blocked" or result.seconds > 10

    return Scene(outputs=answer(ground, "text"), succeeded=is_waited_for, cause="output")


def prepare_device(ground: Ground) -> Scene:
    def is_read(_: RunResult) -> bool:
        return (ground.path / "target").exists()

    return Scene(outputs=answer(ground, "text"), succeeded=is_read, cause="output")


def prepare_setuid_result(ground: Ground) -> Scene:
    """The mode of what the program wrote, which a copy by name would keep, or of the copy."""

    def has_bits(_: RunResult) -> bool:
        found = [path for path in (ground.path / "target", ground.path / "box/out/answer") if path.exists()]
        return any(stat.S_IMODE(path.stat().st_mode) & 0o6002 for path in found)

    return Scene(outputs=answer(ground, "text"), succeeded=has_bits, cause="ok")


def prepare_escaping_names(ground: Ground) -> Scene:
    target = ground.path / "escaped"
    return Scene((str(target),), succeeded=lambda _: target.exists())


def prepare_unfit(ground: Ground, format_name: Format, *arguments: str, limit: int = 8 * MIB) -> Scene:
    """A scene of a result that is not what it is declared to be, or more."""

    def has_arrived(_: RunResult) -> bool:
        return (ground.path / "target").exists()

    outputs = answer(ground, format_name, limit)
    limits = replace(LIMITS, memory=1024 * MIB)
    return Scene(arguments, outputs=outputs, limits=limits, succeeded=has_arrived, cause="output")


def prepare_sparse(ground: Ground) -> Scene:
    """One terabyte, as the file says: on the host where `out/` lies there, or at the target."""

    def is_there(_: RunResult) -> bool:
        found = [path for path in (ground.path / "box/out/answer", ground.path / "target") if path.exists()]
        return any(path.stat().st_size for path in found)

    return Scene(outputs=answer(ground, "text"), succeeded=is_there)


def prepare_pickled_result(ground: Ground) -> Scene:
    """The reader is one that loads whatever it is handed."""
    made = ground.path / "made"

    def has_run_code(_: RunResult) -> bool:
        with contextlib.suppress(OSError):
            pickle.loads((ground.path / "target").read_bytes())  # noqa: S301
        return made.exists()

    outputs = answer(ground, "safetensors")
    return Scene((str(made),), outputs=outputs, succeeded=has_run_code, cause="output")


class Bait:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


def prepare_pickled_weights(ground: Ground) -> Scene:
    model = ground.path / "model"
    model.mkdir()
    made = ground.path / "made"
    ground.plant_file("model/pytorch_model.bin").write_bytes(pickle.dumps(Bait(made)))
    return Scene(inputs={"model": model}, succeeded=lambda _: made.exists())


def prepare_forged_exit(_: Ground) -> Scene:
    return Scene(succeeded=lambda result: (result.cause, result.exit_status) != ("exit", 7))


ATTACKS = (
    Attack("result_link", shows_secret, unconfined),
    Attack("result_below_link", lambda ground: shows_secret(ground, "model/secret"), unconfined),
    Attack("result_hard_link", prepare_hard_link, unconfined),
    Attack("result_pipe", prepare_pipe, unconfined),
    Attack("result_device", prepare_device, weak_container()),
    Attack("result_setuid", prepare_setuid_result, unconfined),
    Attack("sparse_file", prepare_sparse, unconfined),
    Attack("repeated_rows", lambda ground: prepare_unfit(ground, "parquet", "16"), unconfined),
    Attack("dictionary_rows", lambda ground: prepare_unfit(ground, "parquet", "2"), unconfined),
    Attack("compressed_page", lambda ground: prepare_unfit(ground, "parquet", "64"), unconfined),
    Attack("nested_json", lambda ground: prepare_unfit(ground, "json"), unconfined),
    *(
        Attack("lying_safetensors", lambda ground, lie=lie: prepare_unfit(ground, "safetensors", lie), unconfined)
        for lie in SAFETENSORS_LIES
    ),
    Attack("pickled_result", prepare_pickled_result, unconfined),
    Attack("pickled_weights", prepare_pickled_weights, unconfined),
)
