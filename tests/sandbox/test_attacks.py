"""Attacks on the sandbox: each is a script that tries, and what happened is looked at from outside.

Each has a control: the same script where nothing contains it, judged by the same observation, succeeds. So no test
passes because the attack was written wrong.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.base import Sandbox
from tests.sandbox import attack_kernel, attack_network, attack_resources, attack_results, attack_secrets
from tests.sandbox.attack_ground import SCRIPTS, Attack, Ground, carry_out
from tests.sandbox.attack_places import in_sandbox

ROOT = Path(__file__).parent.parent.parent
TABLES = (attack_network, attack_secrets, attack_kernel, attack_resources, attack_results)
ATTACKS: tuple[Attack, ...] = tuple(attack for table in TABLES for attack in table.ATTACKS)
TOLD_APART = {
    "terminal_input": "needs a terminal",
    "endless_line": "a warm worker",
    "swapped_result": "a warm worker",
    "growing_result": "a warm worker",
    "forged_result": "a warm worker",
    "forged_exit": "judged by what a program may not say of itself",
    "forged_frames": "judged by what a program may not say of itself",
    "repeated_checkpoints": "told while it runs",
    "escaping_names": "told while it runs",
    "strange_names": "judged by what is left",
    "planted_modules": "two runs",
    "planted_conftest": "two runs",
    "state_left": "two runs",
}
"""Scripts that have tests of their own, here or in the modules beside this one, and why."""
NEED_GROUPS = {"memory_in_files", "inode_fill"}
"""What bubblewrap cannot hold without a control group."""


def listed() -> list:
    marks = pytest.mark.xdist_group("bombs")
    names = [attack.name for attack in ATTACKS]
    ids = [
        attack.name if names.count(attack.name) == 1 else f"{attack.name}-{names[:place].count(attack.name)}"
        for place, attack in enumerate(ATTACKS)
    ]
    return [
        pytest.param(attack, id=name, marks=marks if attack.bomb else ())
        for name, attack in zip(ids, ATTACKS, strict=True)
    ]


def test_every_script_is_used_and_they_are_many():
    scripts = {path.stem for path in SCRIPTS.glob("*.py")}
    used = {attack.name for attack in ATTACKS} | set(TOLD_APART)
    assert used == scripts
    assert len(scripts) >= 40


@pytest.mark.parametrize("attack", listed())
def test_a_sandbox_blocks_it(attack: Attack, containing_sandbox: Sandbox, ground: Ground):
    ground.sandbox = containing_sandbox
    scene = attack.prepare(ground)
    outcome = carry_out(attack, scene, ground, in_sandbox(containing_sandbox))
    assert outcome.ran, outcome.result
    if outcome.succeeded and attack.name in NEED_GROUPS and containing_sandbox.shortfalls:
        pytest.xfail("this machine's kernel gives this user no control groups, and `doctor` owns up to it")
    assert not outcome.succeeded, outcome.result
    assert outcome.result.cause == (scene.cause or outcome.result.cause) != "infra", outcome.result


@pytest.mark.parametrize("attack", listed())
def test_it_succeeds_without(attack: Attack, ground: Ground):
    outcome = carry_out(attack, attack.prepare(ground), ground, attack.control)
    assert outcome.ran, outcome.result
    assert outcome.succeeded, outcome.result


class TestTerminal:
    """An attack that types into the terminal of whoever started the sandbox."""

    def typed(self, place: str) -> str:
        command = [sys.executable, "-m", "tests.sandbox.attack_terminal", place]
        result = subprocess.run(
            [*command, str(SCRIPTS / "terminal_input.py"), "rm"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return result.stdout

    def test_is_blocked(self, containing_sandbox):
        assert self.typed(containing_sandbox.name) == ""

    @pytest.mark.skipif(os.getuid() != 0, reason="newer kernels let only root type into a terminal")
    def test_succeeds_without(self):
        assert "rm" in self.typed("none")
