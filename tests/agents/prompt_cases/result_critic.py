from agents.result_critic import find_scope, name_figures
from tests.agents.figures import make_figures
from tests.agents.golden_prompts import LABELS, SENTENCE, PromptCase


def make_case(name: str, stage: int, stages_left: int) -> PromptCase:
    figures = make_figures(stage=stage, stages_left=stages_left)
    data = {
        "sentence": SENTENCE,
        "labels": LABELS,
        "specialists": figures.specialists,
        "may": find_scope(figures),
        "figures": name_figures(figures),
    }
    return PromptCase(name, "result_critic", "request", data)


CASES = (make_case("result_critic", 2, 3), make_case("result_critic-only-stage", 0, 0))
