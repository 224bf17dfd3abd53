"""Asks a Hub for text classifiers, follows links between them, and downloads them at a pinned commit.

Nothing that it reads is run.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from hub.cache import RepositoryCache, choose_folders, default_cache
from hub.cached_models import list_cached, rank_by_words, read_cached
from hub.connection import GONE, HubConnection, TellPause
from hub.download import Downloader, Progress
from hub.download_plan import DownloadPlan
from hub.facts import CLASSIFICATION, describe_listed, describe_read, read_files
from hub.library import configured_endpoint
from hub.links import choose_filters, find_base
from hub.model_folders import ModelFolders
from records.candidate import Candidate, DownloadedModel, FileFacts, Relation
from records.errors import CorruptFileError, HubUnreachableError, ModelError

_SMALL_FILE = 1_000_000
_COLLECTIONS = 10
_LISTED = (
    *("sha", "cardData", "tags", "pipeline_tag", "library_name", "config", "safetensors"),
    *("downloads", "likes", "createdAt", "lastModified", "gated", "private", "disabled"),
)


class HubClient:
    """A Hub at `endpoint` (None: `HF_ENDPOINT`, else the public Hub).

    A token (`HF_TOKEN` or the stored one) goes only to the origin of `HF_ENDPOINT`, and only that Hub's files are kept
    in the ordinary cache of `huggingface_hub`; any other hub's, and every model's folder, are below `cache`.
    `embedded` names a hub that runs inside this program: it has a cache of that name, and answers offline too. `tell`
    is called before a long pause that the Hub asks for, with its seconds and its reason.

    Offline (`HF_HUB_OFFLINE=1`) no request is made: what the cache holds is found there.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        cache: Path | None = None,
        *,
        embedded: str | None = None,
        tell: TellPause | None = None,
    ) -> None:
        self.endpoint = (endpoint or configured_endpoint()).rstrip("/")
        self._connection = HubConnection(self.endpoint, embedded=embedded is not None, tell=tell)
        folders = choose_folders(self.endpoint, cache or default_cache(), embedded)
        self._cache = RepositoryCache(folders.repositories)
        self._models = ModelFolders(folders.models)
        self._downloader = Downloader(self._connection, folders)

    @property
    def offline(self) -> bool:
        """Whether HF_HUB_OFFLINE forbids every request."""
        return self._connection.offline

    @property
    def requests(self) -> int:
        """How many requests were made so far: repetitions and redirects too."""
        return self._connection.requests

    def allow(self, requests: int) -> AbstractContextManager[None]:
        """Return a context in which at most so many requests are made, repetitions and redirects too: a further one
        raises RequestsSpentError instead, and none is waited for."""
        return self._connection.allow(requests)

    def search(self, query: str, limit: int, tag: str | None = None) -> tuple[Candidate, ...]:
        """Return at most `limit` text classifiers whose names have the words of the query and that have the tag (a
        language, `dataset:NAME`, any word of their card's), the most downloaded first, as listed: one request.

        Gated, private and disabled ones come as such (`closed`). Offline: those in the cache, read, the best match
        first. Raises HubUnreachableError where the Hub does not answer, or offline where the cache holds none at all.
        """
        if self._connection.offline:
            return tuple(rank_by_words(self._list_cached(), query, tag)[:limit])
        asked = {"search": query, "filter": tag}
        return self._list({name: value for name, value in asked.items() if value}, limit)

    def expand(self, candidate: Candidate, along: Relation, limit: int) -> tuple[Candidate, ...]:
        """Return at most `limit` other text classifiers that a link leads to, as listed; () where it has no such link.

        One request; two along `base_model` (the base itself comes first, where it is a text classifier) and along
        `collection` (whose models come without a commit, which `read` finds). Offline the cache holds no links: ().
        Raises HubUnreachableError where the Hub does not answer.
        """
        if self._connection.offline:
            return ()
        found = self._list_collected(candidate) if along == "collection" else self._list_linked(candidate, along, limit)
        return tuple(one for one in found if one.repo_id != candidate.repo_id)[:limit]

    def read(self, candidate: Candidate) -> Candidate | None:
        """Return the model with its configuration, files and card at its commit (its present one, where it has none).

        Three requests, and what the Hub redirects. None where it cannot be had (any more), or not without asking, or
        where a file is not the one that the Hub announces. Raises HubUnreachableError where the Hub does not answer,
        and InfrastructureError where the disk does not take the files.
        """
        if self._connection.offline:
            return read_cached(self._cache, self._models, candidate.repo_id, candidate.revision)
        at_commit = f"/revision/{candidate.revision}" if candidate.revision else ""
        try:
            item = self._get_mapping(f"/api/models/{candidate.repo_id}{at_commit}", {"blobs": True})
            found = describe_listed(item)
            if found.closed or not found.revision or found.repo_id != candidate.repo_id:
                return None
            files = {file.path: file for file in read_files(item)}
            texts = {name: self._read_text(found, files.get(name)) for name in ("config.json", "README.md")}
        except (*GONE, ValidationError, ModelError, CorruptFileError):
            return None
        return describe_read(item, _parse_config(texts["config.json"]), texts["README.md"])

    def plan_download(self, candidates: Sequence[Candidate]) -> DownloadPlan:
        """Return which files a download of these models takes, their sizes, and what is here already: no request.

        Raises ModelError where one of them is never downloaded (see `download`).
        """
        return self._downloader.plan(candidates)

    def download(self, candidate: Candidate, progress: Progress | None = None) -> DownloadedModel:
        """Return the model on this disk: configuration, tokenizer and safetensors weights, at the candidate's commit.

        What is here already is checked again, without a request; what was cut off goes on where it ended, in another
        process too. Raises ModelError where this model cannot be had: it has no safetensors weights, asks for code of
        its own, or the Hub has a file no more, refuses it, fails on it, or sends another than it announces.
        Raises InfrastructureError where a cached file is another or the disk has no room, and HubUnreachableError where
        the Hub does not answer or limits requests, or offline where a file is not in the cache.
        """
        return self._downloader.download(candidate, progress)

    def _list_cached(self) -> list[Candidate]:
        cached = list_cached(self._cache, self._models)
        if not cached:
            raise HubUnreachableError(
                f"HF_HUB_OFFLINE is set, and no text classifier is in the cache, {self._cache.root}, or in "
                f"{self._models.root}.",
                next_step="Run once with a connection and without HF_HUB_OFFLINE, bring that cache here from a machine "
                "that has it (HF_HOME), or use the models that come with this program: --hub starter",
            )
        return cached

    def _list(self, filters: Mapping[str, str], limit: int) -> tuple[Candidate, ...]:
        """Return the first page of a listing. A model whose name is no repository's is left out."""
        params = {"pipeline_tag": CLASSIFICATION, "sort": "downloads", "limit": limit, "expand": list(_LISTED)}
        items = self._connection.get_json("/api/models", {**params, **filters})
        if not isinstance(items, list):
            raise self._connection.explain("its list of models is none")
        return _describe_all(_choose_mappings(items))[:limit]

    def _list_linked(self, candidate: Candidate, along: Relation, limit: int) -> tuple[Candidate, ...]:
        filters = choose_filters(candidate, along)
        if filters is None:
            return ()
        base = find_base(candidate) if along == "base_model" else None
        return (*(self._look_up(base) if base else ()), *self._list(filters, limit + 1))

    def _look_up(self, repo_id: str) -> tuple[Candidate, ...]:
        """Return one model as a listing would have it; () where it is gone or no text classifier."""
        try:
            item = self._get_mapping(f"/api/models/{repo_id}", {"expand": list(_LISTED)})
        except GONE:
            return ()
        return tuple(one for one in _describe_all([item]) if one.pipeline_tag == CLASSIFICATION)

    def _list_collected(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Return the text classifiers of the most liked collection that the model is in."""
        item = f"models/{candidate.repo_id}"
        collections = self._connection.get_json(
            "/api/collections", {"item": item, "sort": "upvotes", "limit": _COLLECTIONS}
        )
        slugs = [one.get("slug") for one in _choose_mappings(collections)]
        slug = next((slug for slug in slugs if isinstance(slug, str)), None)
        if slug is None:
            return ()
        try:
            items = self._get_mapping(f"/api/collections/{quote(slug)}", {}).get("items")
        except GONE:
            return ()
        return _describe_all([one for one in _choose_mappings(items) if one.get("pipeline_tag") == CLASSIFICATION])

    def _get_mapping(self, path: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        value = self._connection.get_json(path, params)
        if not isinstance(value, dict):
            raise self._connection.explain(f"{path} is no object")
        return value

    def _read_text(self, candidate: Candidate, file: FileFacts | None) -> str:
        """Return a small text file at the model's commit, kept in the cache; empty where it has none or a huge one."""
        if file is None or file.size >= _SMALL_FILE:
            return ""
        return self._downloader.fetch(candidate, file).read_text(encoding="utf-8", errors="replace")


def _choose_mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _describe_all(items: Sequence[Mapping[str, Any]]) -> tuple[Candidate, ...]:
    """Return the models of a list; one whose name is no repository's is left out."""
    found: list[Candidate] = []
    for item in items:
        try:
            found.append(describe_listed(item))
        except ValidationError:
            continue
    return tuple(found)


def _parse_config(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
