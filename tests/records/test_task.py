"""The task, its labels, and the other records that refuse what they cannot be."""

import pytest
import yaml
from pydantic import ValidationError

from records.candidate import Candidate, LabelMap
from records.errors import RunFolderError
from records.folder import read_record, write_yaml
from records.outcome import Certificate, Cost, RoleCost, SpecialistCost
from records.settings import Settings
from records.task import LabelSpec, TaskSpec


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
    with pytest.raises(ValidationError):
        Certificate(reason="")
