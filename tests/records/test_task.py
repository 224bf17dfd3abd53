"""The task, its labels, and the other records that refuse what they cannot be."""

import pytest
import yaml
from pydantic import ValidationError

from records.candidate import Candidate, LabelMap
from records.errors import RunFolderError, SettingsError
from records.folder import read_record, write_yaml
from records.outcome import Certificate, Cost, RoleCost, SpecialistCost
from records.settings import Settings
from records.task import LabelSpec, TaskSpec
from records.task_file import read_task_file, write_task


def make_task(*labels: str) -> TaskSpec:
    return TaskSpec(
        sentence="Label each review", labels=tuple(LabelSpec(name=name) for name in labels), text_columns=("text",)
    )


def test_a_task_survives_its_file(tmp_path):
    task = make_task("positive", "négatif")
    write_yaml(tmp_path / "task.yaml", task)
    assert read_record(tmp_path / "task.yaml", TaskSpec) == task
    assert yaml.safe_load((tmp_path / "task.yaml").read_text(encoding="utf-8"))["version"] == 1


def test_a_task_file_that_is_no_task_is_refused_with_its_path(tmp_path):
    (tmp_path / "task.yaml").write_text("sentence: [")
    with pytest.raises(RunFolderError, match=r"task\.yaml cannot be read as TaskSpec"):
        read_record(tmp_path / "task.yaml", TaskSpec)
    with pytest.raises(RunFolderError, match="No such file"):
        read_record(tmp_path / "none.yaml", TaskSpec)


@pytest.mark.parametrize("labels", [(), ("one",), ("yes", "Yes"), ("yes", " yes "), ("yes", "  ")])
def test_labels_that_are_too_few_blank_or_alike_are_refused(labels):
    with pytest.raises(ValidationError):
        make_task(*labels)


def test_a_label_that_reviewers_need_is_refused():
    with pytest.raises(ValidationError, match="allow no decision"):
        make_task("yes", "Cannot  tell")


def test_line_breaks_in_names_and_definitions_become_spaces():
    label = LabelSpec(name=" very\ngood ", definition="It is\n  praised.")
    assert (label.name, label.definition) == ("very good", "It is praised.")


@pytest.mark.parametrize("columns", [("a",), ("a", "a"), ("a", "b", "c")])
def test_a_pair_has_two_texts(columns):
    task = make_task("yes", "no").model_dump()
    assert TaskSpec.model_validate({**task, "kind": "text_pair", "text_columns": ("a", "b")}).kind == "text_pair"
    with pytest.raises(ValidationError, match="two text columns"):
        TaskSpec.model_validate({**task, "kind": "text_pair", "text_columns": columns})


def test_a_task_file_reads_well_and_comes_back_as_stated(tmp_path):
    task = make_task("positive", "négatif").model_copy(update={"inferred": ("labels",), "edge_cases": ("Irony: no",)})
    write_task(tmp_path / "task.yaml", task)
    text = (tmp_path / "task.yaml").read_text(encoding="utf-8")
    assert text.startswith("#")
    assert "négatif" in text
    assert "example_pair" not in text
    assert read_record(tmp_path / "task.yaml", TaskSpec) == task
    assert read_task_file(tmp_path / "task.yaml") == task.model_copy(update={"inferred": ()})


def test_a_pair_keeps_both_texts_of_its_examples(tmp_path):
    labels = (LabelSpec(name="yes", example="It rains.", example_pair="It is wet."), LabelSpec(name="no"))
    pair = make_task("yes", "no").model_copy(update={"labels": labels, "kind": "text_pair", "text_columns": ("a", "b")})
    write_task(tmp_path / "task.yaml", pair)
    assert read_task_file(tmp_path / "task.yaml") == pair


def test_a_task_file_may_leave_out_what_is_not_needed(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("sentence: Is it rain?\nlabels: [{name: rain, definition:}, {name: dry}]\ntext_columns: [text]\n")
    assert read_task_file(path).label_names == ("rain", "dry")


def test_every_mistake_in_a_task_file_is_reported_with_its_place(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text(
        "version: 2\nlabels:\n- {name: yes}\n- {name: 'no', defintion: It is not.}\n- {definition: x}\n"
        "- {name: cannot tell}\nkind: several\ntext_columns: text\nlangauge: en\nlanguage: no\n"
    )
    with pytest.raises(SettingsError) as caught:
        read_task_file(path)
    assert {line.removeprefix(f"{path}: ") for line in caught.value.what.splitlines()} == {
        "version: Input should be 1, got 2",
        "sentence: is missing",
        "kind: Input should be 'single_label', 'multi_label' or 'text_pair', got 'several'",
        "labels.0.name: True is no text in YAML; put it in quotes",
        "labels.1.defintion is not known; did you mean definition?",
        "labels.2.name: is missing",
        "labels.3.name: no label may be called 'cannot tell': reviewers say so of rows that allow no decision",
        "text_columns: should be a list",
        "langauge is not known; did you mean language?",
        "language: False is no text in YAML; put it in quotes",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("labels: [", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        ("just words", "holds no task"),
        ("", "holds no task"),
        ("sentence: s\nlabels: [{name: a}, {name: A}]\ntext_columns: [text]", "labels: labels must differ"),
        ("sentence: s\nlabels: [{name: a}]\ntext_columns: [text]", "labels: needs 2 or more"),
        ("sentence: s\nlabels: [a, b]\ntext_columns: [text]", "labels.0: should be a mapping"),
        ("sentence: s\nlabels: [{name: a}, {name: b}]\ntext_columns: [text]\nkind: text_pair", "two text columns"),
    ],
)
def test_a_file_that_holds_no_task_is_refused_with_its_path(tmp_path, content, said):
    path = tmp_path / "task.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        read_task_file(path)
    assert said in caught.value.what
    assert str(path) in caught.value.what


def test_a_record_cannot_be_changed_and_takes_no_unknown_field():
    task = make_task("a", "b")
    with pytest.raises(ValidationError):
        task.language = "de"
    with pytest.raises(ValidationError, match="Extra inputs"):
        TaskSpec.model_validate({**task.model_dump(), "langauge": "de"})


def test_settings_report_every_mistake_at_once():
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"task": "", "data": "a.csv", "models": 0, "stage_size": 0})
    assert {error["loc"][0] for error in caught.value.errors()} == {"task", "models", "stage_size"}


@pytest.mark.parametrize("name", ["..", "../x", "a/..", "a/b/c", "/a", "a/", ""])
def test_a_repository_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(ValidationError):
        Candidate(repo_id=name, revision="1" * 40)


def test_a_repository_name_becomes_one_folder_name():
    assert Candidate(repo_id="owner/a.model-2", revision="1" * 40).slug == "owner--a.model-2"


def test_a_label_map_covers_the_labels_that_classes_stand_for():
    assert LabelMap(classes={0: "no", 1: None, 2: "no"}, reason="words").covered() == {"no"}


def test_a_cost_without_a_price_says_why_and_has_no_sum():
    free = RoleCost(role="reviewer", model="offline", requests=0, tokens_in=0, tokens_out=0, usd=0.0)
    unknown = RoleCost(
        role="critic", model="m", requests=2, tokens_in=9, tokens_out=1, usd=None, reason="no price known"
    )
    specialist = SpecialistCost(name="m", parameters=10, tokens=7)
    assert Cost(roles=(free,), specialists=(specialist,)).usd == 0.0
    assert Cost(roles=(free, unknown), specialists=()).usd is None
    assert specialist.parameter_tokens == 70
    with pytest.raises(ValidationError, match="either its usd or the reason"):
        RoleCost(role="critic", model="m", requests=2, tokens_in=9, tokens_out=1, usd=None)


def test_a_certificate_of_nothing_needs_its_reason():
    with pytest.raises(ValidationError, match="has a reason"):
        Certificate(status="none", statement="Nothing is certified.")
    with pytest.raises(ValidationError, match="has a reason"):
        Certificate(status="bound", statement="At most 5 %.", reason="It is no more.")
