"""The environment that a program finds: a fixed list, nothing of the host's."""

from sandbox.base import Limits


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
