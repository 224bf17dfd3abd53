"""Why a model cannot serve, whatever its score: what it is, what it holds, and what the person asked for."""

import re
from collections.abc import Iterator, Sequence

from agents.card_claims import find_chance_accuracy
from agents.evidence import find_kinds
from agents.families import names
from agents.languages import languages_of, name_of, primary_code
from agents.lexicon import family_of, find_meaning, holds, normalise_name
from agents.rarer_families import ENTAILMENT
from hub.weights import choose_weights, find_refusal
from records.candidate import Candidate, Filters
from records.task import TaskSpec

_CLASSIFIER = "ForSequenceClassification"
_QUANTISED = names(
    "gguf, ggml, onnx, int8, int4, 4bit, 8bit, fp8, w8a8, gptq, awq, bnb, exl2, mlx, coreml, openvino, tflite, "
    "quantized, "
    "quantised"
)
_QUANTISED_TAGS = frozenset(
    {"gguf", "4-bit", "8-bit", "gptq", "awq", "bitsandbytes", "quantized", "compressed-tensors"}
)
_OTHER_LIBRARIES = frozenset(
    {"peft", "lora", "adapter-transformers", "setfit", "spacy", "flair", "fasttext", "sklearn", "keras", "tf-keras"}
)
_REWARD = re.compile(r"\b(reward|rewards|rm|preference|reranker|rerank|prm|orm)\b")
MANY_LANGUAGES = 5
"""A model that names more languages than that may read others too."""


def wanted_languages(task: TaskSpec, filters: Filters) -> frozenset[str]:
    """Return the languages of which a model should read one: those that were asked for, else the task's."""
    return frozenset(map(primary_code, filters.languages or (task.language,)))


def readable_languages(task: TaskSpec, candidate: Candidate) -> frozenset[str]:
    """Return the languages that a model says it reads. A label of the task in its name ("italian-or-thai-recipes") is
    none of them."""
    labels = {word for name in task.label_names for word in normalise_name(name).split()}
    return languages_of(candidate, besides=labels)


def find_obstacle(candidate: Candidate, classes: int = 2) -> str | None:
    """Return why a model cannot serve whatever the task, or None; it needs so many `classes`. What only its files tell
    is judged once it was read."""
    found = (
        *_find_closed(candidate),
        *_find_kind_faults(candidate),
        *_find_copies(candidate),
        *(_find_content_faults(candidate, classes) if candidate.read else ()),
    )
    return next((f"dropped: {problem}" for problem in found), None)


def find_misfit(task: TaskSpec, candidate: Candidate, filters: Filters) -> str | None:
    """Return why a model cannot serve for this task, or is not what was asked for, or None."""
    found = (
        *_find_size_misfit(candidate, filters),
        *_find_licence_misfit(candidate, filters),
        *_find_language_misfit(task, candidate, filters),
        *_find_other_task(task, candidate),
    )
    return next((f"dropped: {problem}" for problem in found), None)


def _find_closed(candidate: Candidate) -> Iterator[str]:
    if candidate.closed == "gated":
        yield "it is gated: its owner wants to be asked for access first"
    elif candidate.closed:
        yield f"it is {candidate.closed}"


def _find_kind_faults(candidate: Candidate) -> Iterator[str]:
    if candidate.pipeline_tag != "text-classification":
        yield f"its task on the Hub is {candidate.pipeline_tag or 'not stated'}, not text-classification"
    if candidate.architecture and not candidate.architecture.endswith(_CLASSIFIER):
        yield f"its architecture is {candidate.architecture[:60]}, and a text classifier's ends in {_CLASSIFIER}"
    library = sorted(_OTHER_LIBRARIES & set(map(str.casefold, candidate.tags)))
    if library and not candidate.architecture.endswith(_CLASSIFIER):
        yield f"it is made for {library[0]}, not a whole model of transformers"
    said = normalise_name(" ".join((candidate.repo_id.rpartition("/")[2], *candidate.tags)))
    if _REWARD.search(said):
        yield "it is a reward or ranking model: its number rates answers, and it has no classes"


def _find_copies(candidate: Candidate) -> Iterator[str]:
    words = set(normalise_name(candidate.repo_id.rpartition("/")[2]).split())
    tags = set(map(str.casefold, candidate.tags))
    if words & _QUANTISED or tags & _QUANTISED_TAGS or any(tag.startswith("base_model:quantized:") for tag in tags):
        yield "it is a quantised or converted copy of another model"
    if any(tag.startswith("base_model:adapter:") for tag in tags):
        yield "it is an adapter to another model"


def _find_size_misfit(candidate: Candidate, filters: Filters) -> Iterator[str]:
    size = candidate.parameters or _count_from_files(candidate)
    if filters.max_params is not None and size > filters.max_params:
        yield f"{size:,} parameters are over --max-params {filters.max_params:,}"


def _find_licence_misfit(candidate: Candidate, filters: Filters) -> Iterator[str]:
    said = {part.strip().casefold() for part in candidate.licence.split(",") if part.strip()}
    if filters.licences and not said & {licence.casefold() for licence in filters.licences}:
        yield f"its licence is {candidate.licence[:60] or 'not stated'}, not --licence {','.join(filters.licences)}"


def _find_language_misfit(task: TaskSpec, candidate: Candidate, filters: Filters) -> Iterator[str]:
    known, wanted = readable_languages(task, candidate), wanted_languages(task, filters)
    asked = f"--language {','.join(filters.languages)} was asked for"
    if known and not known & {*wanted, "multilingual"} and len(known) <= MANY_LANGUAGES:
        reads = ", ".join(map(name_of, sorted(known)))
        yield f"it reads {reads}, and {asked if filters.languages else f'the texts are in {name_of(task.language)}'}"
    elif not known and filters.languages and candidate.read:
        yield f"its language is not stated, and {asked}"


def _find_other_task(task: TaskSpec, candidate: Candidate) -> Iterator[str]:
    family, about_pairs = family_of(task), task.kind == "text_pair"
    wants_entailment = about_pairs and family is ENTAILMENT
    if is_entailment(tuple(candidate.id2label.values())) and not wants_entailment:
        yield "it judges whether one text follows from another (zero-shot), which is another task"
    kinds = find_kinds(candidate)
    if kinds and not about_pairs and all(one.pairs for one in kinds):
        yield f"it judges two texts together ({kinds[0].name}), and the task is about one"
    if kinds and about_pairs and family is not None and family.pairs and not any(one.pairs for one in kinds):
        yield f"it judges one text ({kinds[0].name}), and the task is about how two relate"


def _count_from_files(candidate: Candidate) -> int:
    """Return how many parameters the weights hold at least, in 32 bits each; 0 where no size is known yet."""
    weights = set(choose_weights(candidate))
    size = sum(file.size for file in candidate.files if file.path in weights)
    return size // 4


def _find_content_faults(candidate: Candidate, classes: int) -> Iterator[str]:
    if len(candidate.id2label) < classes:
        yield f"its config names {len(candidate.id2label)} classes, and it takes {classes}"
    if refusal := find_refusal(candidate):
        yield refusal
    if chance := find_chance_accuracy(candidate):
        yield chance


def is_entailment(classes: Sequence[str]) -> bool:
    """Return whether a model's classes are those of natural language inference."""
    meanings = {find_meaning(name, ENTAILMENT) for name in classes}
    return any(holds(normalise_name(name), "entailment") for name in classes) and None not in meanings
