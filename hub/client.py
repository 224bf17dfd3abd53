"""Asks a Hub for text classifiers and downloads them at a pinned commit. Nothing that it reads is run."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, zip_longest
from pathlib import Path

from httpx2 import HTTPError, InvalidURL
from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session, hf_raise_for_status

from hub.cache import default_cache
from hub.facts import describe_candidate
from hub.library import PUBLIC_HUB, configured_endpoint, silence_hub_library
from hub.weights import choose_weights, find_fault, find_refusal
from records.candidate import Candidate, DownloadedModel
from records.errors import HubUnreachableError, InfrastructureError, ModelError
from records.folder import file_sha256

_TIMEOUT = 10.0
_READERS = 8
_SMALL_FILE = 1_000_000
_MODEL_FILES = frozenset(
    {
        *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "bpe.codes"),
    }
)
_NO_ANSWER = (
    *(HfHubHTTPError, HTTPError, InvalidURL, ConnectionError),
    *(LocalEntryNotFoundError, HFValidationError, json.JSONDecodeError),
)


class HubClient:
    """A Hub at `endpoint` (None: `HF_ENDPOINT`, else the public Hub), with downloads kept in `cache`.

    A saved token goes to the public Hub only.
    """

    def __init__(self, endpoint: str | None = None, cache: Path | None = None) -> None:
        silence_hub_library()
        self.endpoint = (endpoint or configured_endpoint()).rstrip("/")
        self._cache = cache or default_cache()
        self._token = None if self.endpoint == PUBLIC_HUB else False
        self._api = HfApi(endpoint=self.endpoint, token=self._token)

    def search(self, queries: Sequence[str], limit: int) -> list[Candidate]:
        """Return at most `limit` text classifiers, the most downloaded of each query in turn, each at its commit.

        Gated and private models are left out; one without safetensors weights is listed, and its files show that.
        Raises HubUnreachableError where the Hub does not answer.
        """
        with self._reaching_hub():
            self._probe()
            found = [self._list_ids(query, limit) for query in queries]
            in_turn = chain.from_iterable(zip_longest(*found))
            wanted = list(dict.fromkeys(repo_id for repo_id in in_turn if repo_id is not None))[:limit]
            with ThreadPoolExecutor(_READERS) as readers:
                return [candidate for candidate in readers.map(self._read_candidate, wanted) if candidate]

    def download(self, candidate: Candidate) -> DownloadedModel:
        """Return the model on this disk: configuration, tokenizer and safetensors weights, at the candidate's commit.

        What is there already is checked again, without a request. Raises ModelError where the model has no
        safetensors weights, asks for code of its own, or its commit is gone, InfrastructureError where a file is not
        the one that the Hub announces, and HubUnreachableError where the Hub does not answer.
        """
        names = _choose_files(candidate)
        folder = self._cache / "models" / candidate.slug / candidate.revision
        if not folder.is_dir():
            with self._reaching_hub():
                self._fetch_files(candidate, names, folder)
        found = {name: file_sha256(folder / name) for name in names}
        for file in candidate.files:
            if file.sha256 is not None and file.path in found and found[file.path] != file.sha256:
                shutil.rmtree(folder)
                raise InfrastructureError(
                    f"{file.path} of {candidate.repo_id} has sha256 {found[file.path]}; "
                    f"the Hub at {self.endpoint} announces {file.sha256}. The download was deleted.",
                    next_step="Try again; if it stays so, leave this model out.",
                )
        return DownloadedModel(
            repo_id=candidate.repo_id, revision=candidate.revision, folder=str(folder.resolve()), sha256=found
        )

    def _probe(self) -> None:
        """Ask one cheap question with a short timeout: the library's own listing waits and retries for long."""
        headers = self._api._build_hf_headers()
        url = f"{self.endpoint}/api/models"
        hf_raise_for_status(get_session().get(url, params={"limit": 1}, headers=headers, timeout=_TIMEOUT))

    def _list_ids(self, query: str, limit: int) -> list[str]:
        models = self._api.list_models(
            search=query, pipeline_tag="text-classification", sort="downloads", limit=limit, gated=False
        )
        return [model.id for model in models if not model.private]

    def _read_candidate(self, repo_id: str) -> Candidate | None:
        """Return the model's facts at its present commit, or None where it cannot be had without asking for access."""
        try:
            info = self._api.model_info(repo_id, files_metadata=True, timeout=_TIMEOUT)
        except RepositoryNotFoundError:  # removed or closed between the listing and now
            return None
        if info.gated or info.private or info.disabled or info.sha is None:
            return None
        return describe_candidate(info, self._read_json(info, "config.json"), self._read_text(info, "README.md"))

    def _read_json(self, info: ModelInfo, name: str) -> dict:
        try:
            value = json.loads(self._read_text(info, name) or "{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def _read_text(self, info: ModelInfo, name: str) -> str:
        """Return a small text file at the model's commit; empty where it has none or a huge one."""
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
        if sizes.get(name, _SMALL_FILE) >= _SMALL_FILE:
            return ""
        path = self._api.hf_hub_download(
            info.id, name, revision=info.sha, cache_dir=self._cache / "hub", etag_timeout=_TIMEOUT
        )
        return Path(path).read_text(encoding="utf-8", errors="replace")

    def _fetch_files(self, candidate: Candidate, names: Sequence[str], folder: Path) -> None:
        """Download into a folder aside and move it into place when it is whole."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as temporary:
            aside = Path(temporary) / "files"
            aside.mkdir()
            for name in names:
                shutil.move(self._fetch_file(candidate, name, Path(temporary) / "hub"), aside / name)
                if fault := find_fault(aside / name, names):
                    raise ModelError(f"{candidate.repo_id}: {fault}.", next_step="Leave this model out.")
            if not folder.is_dir():
                aside.rename(folder)

    def _fetch_file(self, candidate: Candidate, name: str, folder: Path) -> Path:
        try:
            path = self._api.hf_hub_download(
                candidate.repo_id, name, revision=candidate.revision, cache_dir=folder, etag_timeout=_TIMEOUT
            )
        except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError) as failure:
            raise ModelError(
                f"{name} of {candidate.repo_id} at commit {candidate.revision} is not on the Hub at {self.endpoint} "
                "any more.",
                next_step="Search again for its present commit, or leave this model out.",
            ) from failure
        return Path(path).resolve()

    @contextmanager
    def _reaching_hub(self) -> Iterator[None]:
        """Turn every way in which a Hub does not answer into HubUnreachableError."""
        try:
            yield
        except _NO_ANSWER as failure:
            raise HubUnreachableError(
                f"The Hub at {self.endpoint} did not answer as a Hub does: {_explain(failure)}",
                next_step="Check the address and the connection, or use the models that come with this program: "
                "--hub starter",
            ) from failure


def _explain(failure: Exception) -> str:
    """Return one line on why a request failed."""
    if isinstance(failure, HfHubHTTPError):
        return f"status {failure.response.status_code} {failure.server_message or ''}".strip()
    return str(failure).strip().partition("\n")[0] or type(failure).__name__


def _choose_files(candidate: Candidate) -> list[str]:
    """Return the names of the files to download: settings and tokenizer, then the weights, their index first."""
    if refusal := find_refusal(candidate):
        raise ModelError(f"{candidate.repo_id}: {refusal}.", next_step="Choose a model with safetensors weights.")
    settings = sorted(file.path for file in candidate.files if file.path in _MODEL_FILES)
    return [*settings, *choose_weights(candidate)]
