from agents.base import Failure, ScriptParts
from agents.coder import Way, find_columns, show_failure, show_model, show_task
from records.candidate import LabelMap
from records.task import Kind
from templates.renderer import Hyperparameters
from tests.agents.builders import make_candidate
from tests.agents.golden_prompts import INJECTION, PromptCase
from tests.agents.prompt_cases.script_tasks import TASKS

MODEL = make_candidate("owner/model", ("LABEL_0", "LABEL_1"), card=f"# Card\n{INJECTION}", architecture="Bert")
PARTS = ScriptParts(label_map=LabelMap(classes={0: "bad", 1: None}, reason="a guess"), preprocess="return text")
FAILURES = (
    Failure(parts=PARTS, output="AssertionError", reasons=("line 3: uses eval",)),
    Failure(
        parts=PARTS.model_copy(update={"script": f'"""Label texts."""\n# {INJECTION}\n'}),
        output=f"E   {INJECTION}",
        reasons=(INJECTION,),
    ),
)


def make_case(
    name: str, kind: Kind, failures: tuple[Failure, ...] = (), *, way: Way = "request", why: str | None = None
) -> PromptCase:
    facts = {"columns": sorted(find_columns(MODEL)), "training": Hyperparameters()}
    return PromptCase(
        name,
        "coder",
        way,
        {
            "task": show_task(TASKS[kind]),
            "pairs": kind == "text_pair",
            "independent": kind == "multi_label",
            "model": show_model(MODEL),
            "why": why,
            "failures": [show_failure(failure) for failure in failures],
            **(facts if way == "request" else {"largest": 60_000}),
        },
    )


CASES = (
    make_case("coder", "single_label"),
    make_case("coder-repair", "single_label", FAILURES[:1]),
    make_case("coder-turned", "single_label", FAILURES, why=INJECTION),
    make_case("coder-pair", "text_pair"),
    make_case("coder-multi-label", "multi_label"),
    make_case("coder-whole", "single_label", way="whole", why=INJECTION),
    make_case("coder-whole-repair", "single_label", FAILURES, way="whole"),
    make_case("coder-whole-pair", "text_pair", way="whole", why="It joins them."),
    make_case("coder-whole-multi-label", "multi_label", way="whole", why="It reads them by sentence."),
)
