"""Writes the golden file of every prompt case anew, and removes those that no case has.

`python -m tests.agents.write_golden`, from the root of the repository.
"""

from tests.agents.golden_prompts import HERE, read_cases


def write_golden() -> None:
    cases = read_cases().values()
    for left in set((HERE / "golden").iterdir()) - {case.golden for case in cases}:
        left.unlink()
    for case in cases:
        case.golden.write_text(case.write_down(), encoding="utf-8")


if __name__ == "__main__":
    write_golden()
