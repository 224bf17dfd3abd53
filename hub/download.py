"""Downloads a model's chosen files at its commit: announced beforehand, resumed where they were cut off, checked."""

import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from httpx2 import RemoteProtocolError
from huggingface_hub.errors import GatedRepoError

from hub.cache import HubFolders, RepositoryCache, announced_hash, hash_as_announced
from hub.connection import BROKEN, GONE, HubConnection, describe_failure
from hub.disk import keeping
from hub.download_plan import DownloadPlan, PlannedFile, check_space, choose_files, measure_disks
from hub.model_folders import ModelFolders, list_sizes
from hub.weights import find_fault
from records.candidate import Candidate, DownloadedModel, FileFacts
from records.errors import CorruptFileError, HubStatusError, HubUnreachableError, ModelError
from records.folder import file_sha256

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and the bytes of all files."""

_REPORT_EVERY = 0.2
_TRIES = 2
_FAILING_MODELS = 3
_SERVER_ERROR = 500
_LOCK = "the lock that pins this model"


class Downloader:
    """Fetches models from one Hub into its folders."""

    def __init__(self, connection: HubConnection, folders: HubFolders) -> None:
        self._connection = connection
        self._cache = RepositoryCache(folders.repositories)
        self._models = ModelFolders(folders.models)
        self._failed = 0

    def plan(self, candidates: Sequence[Candidate]) -> DownloadPlan:
        """Return what a download of these models takes, without a request.

        Raises ModelError as `download` does for a model that is never downloaded.
        """
        files = [one for candidate in candidates for one in self._plan_model(candidate)]
        return DownloadPlan(files=tuple(files), disks=measure_disks(files, self._cache.root, self._models.root))

    def _plan_model(self, candidate: Candidate) -> list[PlannedFile]:
        files = choose_files(candidate)
        whole = self._models.holds(candidate, files)
        counts = [file.size if whole else self._count_cached(candidate, file) for file in files]
        return [
            PlannedFile(repo_id=candidate.repo_id, path=file.path, size=file.size, cached=cached, placed=whole)
            for file, cached in zip(files, counts, strict=True)
        ]

    def download(self, candidate: Candidate, progress: Progress | None) -> DownloadedModel:
        """Return the model in a folder that holds its chosen files, checked, and nothing else.

        Raises ModelError, InfrastructureError and HubUnreachableError as HubClient.download says.
        """
        with keeping(candidate.repo_id, self._cache.root):
            return self._download(candidate, choose_files(candidate), progress)

    def fetch(self, candidate: Candidate, file: FileFacts) -> Path:
        """Return one checked file in the cache, fetched where it is not there.

        Raises as `download` does; but where the files of three models in a row are answered with a server's error, it
        is the Hub that fails and not the models: HubUnreachableError.
        """
        try:
            with keeping(candidate.repo_id, self._cache.root):
                found = self._fetch(candidate, file, _Throttle(None, 0))
        except ModelError as error:
            cause = error.__cause__
            if isinstance(cause, HubStatusError) and cause.status >= _SERVER_ERROR:
                self._failed += 1
                if self._failed >= _FAILING_MODELS:
                    raise cause from error
            raise
        self._failed = 0
        return found

    def _download(self, candidate: Candidate, files: Sequence[FileFacts], progress: Progress | None) -> DownloadedModel:
        self._models.sweep()
        folder = self._models.place(candidate.slug, candidate.revision)
        if not self._is_right(candidate, files, folder):
            plan = self.plan([candidate])
            check_space(plan)
            self._build(candidate, files, _Throttle(progress, plan.size))
        sha256 = {file.path: file.sha256 or file_sha256(folder / file.path) for file in files}
        return DownloadedModel(
            repo_id=candidate.repo_id, revision=candidate.revision, folder=str(folder.resolve()), sha256=sha256
        )

    def _is_right(self, candidate: Candidate, files: Sequence[FileFacts], folder: Path) -> bool:
        """Return whether a folder holds these files and no others, each with its announced hash.

        Raises ModelError where it is a lock that announces another: the file was right when it came.
        """
        if list_sizes(folder).keys() != {file.path for file in files}:
            return False
        for file in files:
            wanted, found = self._read_announced(candidate, file), hash_as_announced(folder / file.path, file)
            if found != wanted and candidate.source == "lock":
                raise _blame_lock(candidate, file, folder / file.path, found)
            if found != wanted:
                return False
        return True

    def _build(self, candidate: Candidate, files: Sequence[FileFacts], progress: "_Throttle") -> None:
        """Gather the files in a folder aside and move it into place when it is whole and checked.

        A folder that is there stays until then.
        """
        names = [file.path for file in files]
        with self._models.building(candidate) as aside:
            if self._is_right(candidate, files, self._models.place(candidate.slug, candidate.revision)):
                return  # another process built it while this one waited
            for file in files:
                _place(self._fetch(candidate, file, progress), aside / file.path)
                if fault := find_fault(aside / file.path, names):
                    raise ModelError(f"{candidate.repo_id}: {fault}.", next_step="Leave this model out.")
            if not self._is_right(candidate, files, aside):
                raise CorruptFileError(
                    f"The files of {candidate.repo_id} changed while they were put into {aside}.",
                    next_step="Try again; if it stays so, have the disk checked.",
                )
            self._models.put(aside, candidate)

    def _fetch(self, candidate: Candidate, file: FileFacts, progress: "_Throttle") -> Path:
        content_hash = self._read_announced(candidate, file)
        with self._cache.lock(candidate.repo_id, content_hash):
            found = self._cache.find(candidate.repo_id, candidate.revision, file)
            if found is None:
                found = self._fetch_blob(candidate, file, self._cache.blob(candidate.repo_id, content_hash), progress)
            else:
                self._check_cached(candidate, file, found)
            self._cache.link(candidate.repo_id, candidate.revision, file.path, found)
        progress.finish(file.size)
        return found.resolve()

    def _read_announced(self, candidate: Candidate, file: FileFacts) -> str:
        content_hash = announced_hash(file)
        if content_hash is None:
            raise ModelError(
                f"{self._name_source(candidate)} announces no hash of {file.path} of {candidate.repo_id}, so that it "
                "cannot be checked.",
                next_step="Leave this model out.",
            )
        return content_hash

    def _name_source(self, candidate: Candidate) -> str:
        return _LOCK if candidate.source == "lock" else f"the Hub at {self._connection.endpoint}"

    def _check_cached(self, candidate: Candidate, file: FileFacts, found: Path) -> None:
        content_hash = hash_as_announced(found, file)
        if content_hash == announced_hash(file):
            return
        if candidate.source == "lock":
            raise _blame_lock(candidate, file, found, content_hash)
        raise CorruptFileError(
            f"The cached file {found} has the hash {content_hash}; {announced_hash(file)} is announced for "
            f"{file.path} of {candidate.repo_id}. Other programs use this cache too, so it was left as it is.",
            next_step="Delete that file and try again.",
        )

    def _fetch_blob(self, candidate: Candidate, file: FileFacts, blob: Path, progress: "_Throttle") -> Path:
        """Fetch a file beside its place, go on where an earlier attempt ended, and move it there when it is right."""
        if self._connection.offline:
            raise HubUnreachableError(
                f"HF_HUB_OFFLINE is set, and {file.path} of {candidate.repo_id} at commit {candidate.revision} is not "
                f"in the cache, {self._cache.root}.",
                next_step="Run once with a connection and without HF_HUB_OFFLINE, or bring that cache here from a "
                "machine that has it (HF_HOME).",
            )
        blob.parent.mkdir(parents=True, exist_ok=True)
        part = blob.with_name(f"{blob.name}.incomplete")
        # Where the beginning was another's download, the second one has it right; what a lock says stays as it is.
        tries = 1 if candidate.source == "lock" and not part.exists() else _TRIES
        found = None
        for _ in range(tries):
            self._fill_part_of(candidate, file, part, progress)
            found = hash_as_announced(part, file)
            if found == announced_hash(file):
                return part.replace(blob)
            part.unlink()
        times = "once" if tries == 1 else f"{tries} times"
        raise ModelError(
            f"{file.path} of {candidate.repo_id} came {times} with the hash {found} from the Hub at "
            f"{self._connection.endpoint}; {self._name_source(candidate)} announces {announced_hash(file)}. The "
            "download was deleted.",
            next_step="Leave this model out.",
        )

    def _fill_part_of(self, candidate: Candidate, file: FileFacts, part: Path, progress: "_Throttle") -> None:
        """Fetch all bytes. Raises ModelError where the Hub answers, and will not or cannot send them."""
        named = f"{file.path} of {candidate.repo_id} at commit {candidate.revision}"
        try:
            self._fill_part(candidate, file, part, progress)
        except GatedRepoError as failure:
            raise ModelError(
                f"{named} is closed: the Hub at {self._connection.endpoint} wants its owner to be asked for access "
                f"({describe_failure(failure)}).",
                next_step="Ask for access and set HF_TOKEN, or leave this model out.",
            ) from failure
        except GONE as failure:
            raise ModelError(
                f"{named} is not on the Hub at {self._connection.endpoint} any more ({describe_failure(failure)}).",
                next_step="Search again for its present commit, or leave this model out.",
            ) from failure
        except HubUnreachableError as failure:
            never_whole = isinstance(failure.__cause__, RemoteProtocolError)
            if not never_whole and not isinstance(failure, HubStatusError):
                raise
            answer = failure.answer if isinstance(failure, HubStatusError) else describe_failure(failure.__cause__)
            raise ModelError(
                f"{named} cannot be had from the Hub at {self._connection.endpoint}: {answer}.",
                next_step="Try again later, or leave this model out.",
            ) from failure

    def _fill_part(self, candidate: Candidate, file: FileFacts, part: Path, progress: "_Throttle") -> None:
        """Append until all bytes are here. Every connection that brings more of the file may be followed by another."""
        part.touch()
        if part.stat().st_size > file.size:
            part.unlink()
            part.touch()
        path = f"/{candidate.repo_id}/resolve/{candidate.revision}/{file.path}"
        while (here := part.stat().st_size) < file.size:
            self._connection.retry(partial(self._append, path, part, here, file.size, progress))

    def _append(self, path: str, part: Path, best: int, size: int, progress: "_Throttle") -> None:
        """Append what one answer brings. Raises what failed where that left fewer bytes than the `best` so far.

        A server that cannot begin in the middle sends the file from its start.
        """
        with part.open("r+b") as out:
            here = out.seek(0, 2)
            try:
                with self._connection.open(path, start=here, plain=True) as response:
                    if here and not response.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
                        here = out.seek(0)
                        out.truncate()
                    for chunk in response.iter_bytes():
                        here += out.write(chunk)
                        progress.move(here)
                        if here > size:
                            return
                if here < size:
                    raise RemoteProtocolError(f"{size - here:,} of {size:,} bytes did not come")
            except BROKEN:
                if here <= best:
                    raise

    def _count_cached(self, candidate: Candidate, file: FileFacts) -> int:
        if found := self._cache.find(candidate.repo_id, candidate.revision, file):
            return min(found.stat().st_size, file.size)
        part = self._cache.blob(candidate.repo_id, f"{announced_hash(file)}.incomplete")
        return min(part.stat().st_size, file.size) if part.is_file() else 0


def _blame_lock(candidate: Candidate, file: FileFacts, found: Path, content_hash: str) -> ModelError:
    return ModelError(
        f"{_LOCK} announces the hash {announced_hash(file)} of {file.path} of {candidate.repo_id}; {found} has "
        f"{content_hash}. It was checked when it came, so it was left as it is.",
        next_step=f"Give the lock as its run wrote it; or, if this disk spoiled the file, delete {found.parent} and "
        "try again.",
    )


def _place(blob: Path, target: Path) -> None:
    """Put a cached file into a model's folder: the same file under a second name, a copy where that is not possible."""
    try:
        target.hardlink_to(blob)
    except OSError:  # another disk, or a file system without such links
        shutil.copyfile(blob, target)


class _Throttle:
    """Tells how far a download is: five times a second at most, and at the end of each file."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._finished = 0
        self._last = 0.0

    def move(self, here: int) -> None:
        """Tell that `here` bytes of the present file are on this disk."""
        now = time.monotonic()
        if self._progress and now - self._last >= _REPORT_EVERY:
            self._last = now
            self._progress(self._finished + here, self._total)

    def finish(self, size: int) -> None:
        """Tell that the present file is here."""
        self._finished += size
        if self._progress:
            self._progress(self._finished, self._total)
