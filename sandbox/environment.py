"""The environment that a program finds: a fixed list, nothing of the host's."""

import secrets

from sandbox.base import Limits

IN_MEMORY_BYTES = 2**30
"""What each folder in memory may hold, beside `out/`."""
FIRST_USER, USERS = 2_000_000_000, 100_000_000
"""Users that no machine gives to people."""


def draw_user() -> int:
    """Return a user (and group) id for one program that root starts: what the kernel counts for each user, and what a
    user may do to his own processes and files, is then between no two programs."""
    return FIRST_USER + secrets.randbelow(USERS)


def clean_environment(limits: Limits, *, path: str, temporary: str) -> dict[str, str]:
    """Return every variable that a program sees; `path` is its PATH, `temporary` where it may keep what it likes."""
    threads = str(limits.threads)
    return {
        "PATH": path,
        "HOME": temporary,
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "RAYON_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
