"""Lists of models and collections, by the unmodified client, from a folder and from a catalogue alike."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError

from hub.library import silence_hub_library
from hub.server import HubServer, ServedRequest
from tests.hub.hubs import BASE, COLLECTIONS, MODELS, TWEETS, model, write_catalogue, write_folder

PUBLIC = [one["id"] for one in MODELS if not one.get("private")]


@pytest.fixture(scope="module", params=["folder", "catalogue"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    silence_hub_library()
    root = tmp_path_factory.mktemp(request.param)
    write = {"folder": write_folder, "catalogue": write_catalogue}[request.param]
    with (
        HubServer(write(root / "hub", MODELS, COLLECTIONS), tokens=["hf_member"]) as running,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("HF_ENDPOINT", running.url)  # no other Hub is sent a token
        yield running


@pytest.fixture(scope="module")
def api(server: HubServer) -> HfApi:
    return HfApi(endpoint=server.url, token=False)


def ids(models) -> list[str]:
    return [one.id for one in models]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"search": "Sentiment tweet"}, [TWEETS, "ann/tweet-sentiment-gguf"]),
        ({"search": "ann"}, [TWEETS, "ann/tweet-sentiment-gguf"]),
        ({"search": "tweet_eval"}, []),
        ({"author": "bob", "limit": 2}, ["bob/adapter", "bob/merged"]),
        ({"filter": "base_model:" + TWEETS}, ["ann/tweet-sentiment-gguf", "bob/merged", "bob/said"]),
        ({"filter": f"base_model:finetune:{BASE}"}, ["corp/gated-film", TWEETS, "corp/disabled"]),
        ({"filter": f"base_model:adapter:{BASE}"}, ["bob/adapter"]),
        ({"filter": f"base_model:merge:{BASE}"}, ["bob/merged"]),
        ({"filter": f"base_model:merge:{TWEETS}"}, ["bob/merged"]),
        ({"filter": f"base_model:quantized:{TWEETS}"}, ["ann/tweet-sentiment-gguf", "bob/said"]),
        ({"filter": f"base_model:quantized:{BASE}"}, ["bob/onnx"]),
        ({"filter": ["de", "license:mit", "sentiment", "bert"]}, [TWEETS]),
        ({"filter": ["de", "license:apache-2.0"]}, []),
        ({"filter": "peft"}, ["bob/adapter"]),
        ({"filter": "gguf"}, ["ann/tweet-sentiment-gguf"]),
        ({"filter": "text-classification", "author": "ann"}, [TWEETS]),
        ({"trained_dataset": "tweet_eval"}, [TWEETS]),
        ({"pipeline_tag": "fill-mask"}, [BASE]),
        ({"pipeline_tag": "text-classification", "author": "bob"}, ["bob/merged", "bob/said"]),
        ({"gated": True}, ["corp/gated-film"]),
        ({"gated": False, "author": "corp"}, ["corp/disabled"]),
        ({"num_parameters": "min:1K"}, ["bob/merged"]),
        ({"num_parameters": "min:0.05K,max:100", "author": "ann"}, [TWEETS]),
        ({"num_parameters": "max:0.001M", "author": "bob"}, ["bob/adapter", "bob/said"]),
        ({"sort": "downloads", "limit": 3}, [BASE, "corp/gated-film", TWEETS]),
        ({"sort": "trending_score", "limit": 2}, [BASE, "corp/gated-film"]),
        ({"sort": "likes", "limit": 3}, [TWEETS, BASE, "bob/adapter"]),
        ({"sort": "created_at", "search": "e", "filter": "license:mit"}, [TWEETS]),
        ({"limit": 1}, [BASE]),
    ],
)
def test_lists_what_is_asked_for(api: HfApi, asked: dict, expected: list[str]) -> None:
    assert ids(api.list_models(**asked)) == expected


def test_sorts_by_dates_and_in_both_directions(api: HfApi, server: HubServer) -> None:
    dated = f"{server.url}/api/models?filter=bert&search=e&pipeline_tag=fill-mask"
    assert [one["id"] for one in httpx2.get(dated).json()] == [BASE]
    for sort in ("createdAt", "lastModified", "downloads", "likes"):
        answers = {
            way: [one["id"] for one in httpx2.get(f"{server.url}/api/models?sort={sort}&direction={way}").json()]
            for way in ("1", "-1")
        }
        assert set(answers["1"]) == set(answers["-1"]) == set(PUBLIC)
        assert answers["1"] != answers["-1"]
        assert answers["-1"].index(TWEETS) != answers["1"].index(TWEETS)
    [base] = api.list_models(pipeline_tag="fill-mask", full=True)
    assert base.created_at == datetime(2022, 1, 5, tzinfo=UTC)
    assert base.last_modified == datetime(2022, 1, 6, tzinfo=UTC)


def test_private_models_are_listed_for_members_only(api: HfApi) -> None:
    assert ids(api.list_models(sort="downloads")) == sorted(PUBLIC, key=_by_downloads)
    assert ids(api.list_models(sort="downloads", token="hf_stranger")) == sorted(PUBLIC, key=_by_downloads)
    assert ids(api.list_models(sort="downloads", token="hf_member", limit=1)) == ["corp/private-film"]


def _by_downloads(repo_id: str) -> tuple[int, str]:
    return next((-one.get("downloads", 0), repo_id) for one in MODELS if one["id"] == repo_id)


def test_gives_the_fields_that_are_asked_for(api: HfApi) -> None:
    [short] = api.list_models(filter="sentiment")
    assert (short.card_data, short.siblings, short.config, short.sha) == (None, None, None, None)
    assert (short.downloads, short.likes, short.private, short.library_name) == (500, 20, False, "transformers")
    [full] = api.list_models(filter="sentiment", full=True, cardData=True, fetch_config=True)
    assert full.card_data is not None
    assert full.card_data.base_model == BASE
    assert full.config == {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}
    assert (full.gated, full.disabled, full.author) == (False, False, "ann")
    assert {file.rfilename for file in full.siblings or []} == {"README.md", "config.json", "model.safetensors"}


def test_expands_each_field(api: HfApi) -> None:
    fields = ["author", "baseModels", "cardData", "config", "createdAt", "disabled", "downloads", "gated"]
    fields += ["lastModified", "library_name", "likes", "pipeline_tag", "private", "safetensors", "sha", "siblings"]
    [found] = api.list_models(filter="sentiment", expand=[*fields, "tags"])  # pyright: ignore
    assert found.base_models["relation"] == "finetune"
    assert [one["id"] for one in found.base_models["models"]] == [BASE]
    assert found.safetensors is not None
    assert found.safetensors.parameters == {"F32": 100}
    assert found.tags is not None
    assert {"bert", "safetensors", f"base_model:{BASE}", f"base_model:finetune:{BASE}", "en"} <= set(found.tags)
    assert None not in (found.created_at, found.last_modified, found.sha, found.siblings, found.pipeline_tag)
    [only] = api.list_models(filter="sentiment", expand=["likes"])
    assert (only.likes, only.downloads, only.tags) == (20, None, None)


def test_children_are_counted_for_one_model_only(api: HfApi) -> None:
    info = api.model_info(BASE, expand=["childrenModelCount"])
    assert info.children_model_count == {"adapter": 1, "finetune": 3, "merge": 1, "quantized": 1}
    assert (info.sha, info.tags) == (None, None)
    with pytest.raises(BadRequestError, match="childrenModelCount"):
        list(api.list_models(expand=["childrenModelCount"]))


@pytest.mark.parametrize(
    "asked",
    [
        *({"inference_provider": "all"}, {"apps": "ollama"}, {"inference": "warm"}, {"sort": "age"}),
        *({"num_parameters": "large"}, {"num_parameters": "min:1.2.3M"}, {"expand": ["gguf"]}),
    ],
)
def test_refuses_what_it_does_not_know(api: HfApi, asked: dict) -> None:
    with pytest.raises(BadRequestError):
        list(api.list_models(**asked))


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=-1", "cursor=x", "cursor=LTE=", "direction=2", "seed=1"]
)
def test_refuses_malformed_parameters(server: HubServer, query: str) -> None:
    answer = httpx2.get(f"{server.url}/api/models?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["error"]


def test_the_link_leads_through_all_pages(server: HubServer) -> None:
    seen: list[str] = []
    link = f"{server.url}/api/models?limit=4&sort=downloads&filter=bert&full=true"
    pages = 0
    while link:
        answer = httpx2.get(link)
        pages += 1
        assert len(answer.json()) <= 4
        assert all("siblings" in one for one in answer.json())
        seen += [one["id"] for one in answer.json()]
        link = answer.links.get("next", {}).get("url", "")
    assert pages == 2
    assert seen == [BASE, "corp/gated-film", TWEETS, "bob/merged", "bob/said", "corp/disabled"]


def test_the_client_follows_the_pages(tmp_path: Path) -> None:
    names = [f"many/model-{number:04}" for number in range(2001)]
    served: list[ServedRequest] = []
    catalogue = write_catalogue(tmp_path / "many.jsonl", [model(name) for name in names])
    with HubServer(catalogue, on_request=served.append) as server:
        api = HfApi(endpoint=server.url, token=False)
        assert ids(api.list_models()) == names
        assert len(served) == 3
        assert ids(api.list_models(limit=1500)) == names[:1500]
        assert len(served) == 5


def test_lists_collections(api: HfApi) -> None:
    assert [one.slug for one in api.list_collections()] == ["bob/odds-2", "ann/sentiment-1"]
    assert [one.slug for one in api.list_collections(sort="upvotes")] == ["ann/sentiment-1", "bob/odds-2"]
    assert [one.slug for one in api.list_collections(owner=["ann", "eve"])] == ["ann/sentiment-1"]
    [found] = api.list_collections(item=f"models/{TWEETS}")
    assert [item.item_id for item in found.items] == [TWEETS, BASE, "bob/merged", "bob/said"]
    both = api.list_collections(item=[f"models/{TWEETS}", "models/bob/merged"], limit=1)
    assert [one.slug for one in both] == ["bob/odds-2"]
    assert list(api.list_collections(item="models/nobody/knows")) == []
    assert len(list(api.list_collections(token="hf_member"))) == 3


def test_describes_a_collection_with_all_its_items(api: HfApi) -> None:
    found = api.get_collection("ann/sentiment-1")
    assert [item.item_id for item in found.items] == [TWEETS, BASE, "bob/merged", "bob/said", "bob/adapter"]
    assert {item.item_type for item in found.items} == {"model"}
    assert (found.title, found.upvotes, found.private) == ("Sentiment", 2, False)
    assert found.last_updated == datetime(2026, 1, 1, tzinfo=UTC)
    member = api.get_collection("ann/sentiment-1", token="hf_member")
    assert "corp/private-film" in [item.item_id for item in member.items]
    for slug in ("ann/nothing-9", "bob/secret-3"):
        with pytest.raises(HfHubHTTPError) as caught:
            api.get_collection(slug)
        assert caught.value.response.status_code == 404
