"""`docs/security.md` names tests that exist, and every attack."""

import re
from pathlib import Path

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ATTACKS = {path.stem for path in (ROOT / "tests" / "sandbox" / "attacks").glob("*.py")}


def test_every_test_that_it_names_is_there():
    named = re.findall(r"`([a-z]+/test_[a-z_]+\*?\.py)`", TEXT)
    assert len(named) > 8
    assert [name for name in named if not list(Path(ROOT / "tests").glob(name))] == []


def test_it_names_every_attack_and_no_other():
    rows = [line.split("|")[4] for line in TEXT.splitlines() if line.startswith("| ") and line.count("|") == 5]
    named = set(re.findall(r"`([a-z0-9_]+)`", " ".join(rows)))
    assert named - {"test_seccomp"} == ATTACKS
