"""Says which question to a Hub follows a link from one model to others."""

import re

from records.candidate import Candidate, Relation

_BASE_MODEL = re.compile(r"base_model:(?:finetune:)?([^:]+)")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_CORPORA = re.compile(r"(wikipedia|bookcorpus|c4|mc4|oscar|cc100|openwebtext|the_pile|common_crawl|generator|custom)")
"""What language models are taught with before any task, and names that stand for no data set."""
_FACT_TAG = re.compile(r"\w+:|\w\w$")
"""`license:mit`, `region:us`, `arxiv:…`, and languages."""
_FORMAT_TAGS = frozenset(
    {
        *("transformers", "pytorch", "tf", "jax", "rust", "onnx", "safetensors", "openvino", "coreml", "tensorboard"),
        *("text-classification", "autotrain", "autotrain_compatible", "endpoints_compatible", "eval-results"),
        *("text-embeddings-inference", "generated_from_trainer", "model-index", "trainer", "custom_code", "adapter"),
        *("sentence-transformers", "setfit", "peft", "keras", "spacy", "flair", "fastai", "unk", "has_space"),
        *("nlp", "text", "classification", "classifier", "finetuned", "fine-tuned", "co2_eq_emissions", "multilingual"),
    }
)


def find_base(candidate: Candidate) -> str | None:
    """Return the repository that a model was made from, as its card or its tags say, or None."""
    named = [candidate.base_model.partition(", ")[0]]
    named += [match[1] for tag in candidate.tags if (match := _BASE_MODEL.fullmatch(tag))]
    return next((name for name in named if _REPOSITORY.fullmatch(name) and name != candidate.repo_id), None)


def choose_filters(candidate: Candidate, along: Relation) -> dict[str, str] | None:
    """Return the filters of the listing that a link leads to, or None where the model has no such link."""
    owner, slash, _ = candidate.repo_id.partition("/")
    match along:
        case "base_model":
            base = find_base(candidate)
            return {"filter": f"base_model:finetune:{base}"} if base else None
        case "finetunes":
            return {"filter": f"base_model:finetune:{candidate.repo_id}"}
        case "datasets":
            dataset = _find_dataset(candidate)
            return {"filter": f"dataset:{dataset}"} if dataset else None
        case "author":
            return {"author": owner} if slash else None
        case "tags":
            tag = _find_telling_tag(candidate)
            return {"filter": tag} if tag else None
        case "collection":
            return None


def _find_dataset(candidate: Candidate) -> str | None:
    """Return the first data set that tells what the model was taught."""
    tagged = [tag.removeprefix("dataset:") for tag in candidate.tags if tag.startswith("dataset:")]
    names = [*candidate.datasets, *tagged]
    return next((name for name in names if name and not _CORPORA.fullmatch(name.rpartition("/")[2])), None)


def _find_telling_tag(candidate: Candidate) -> str | None:
    """Return the first tag that says what the model is for, and not how it is stored, taught or licensed."""
    plain = {*_FORMAT_TAGS, candidate.model_type.lower(), *(language.lower() for language in candidate.languages)}
    return next((tag for tag in candidate.tags if not _FACT_TAG.match(tag) and tag.lower() not in plain), None)
