"""The shape of the graph, and what its checkpoint holds."""

import json
import sqlite3
from pathlib import Path

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from graphs.annotate import build_graph
from tests.conftest import ROOT, SENTENCE, Cli
from tests.tiny_hub import make_sentences

EDGES = {
    ("__start__", "analyse_task"),
    ("analyse_task", "ask_person"),
    ("analyse_task", "search_hub"),
    ("ask_person", "analyse_task"),
    ("search_hub", "select_candidates"),
    ("select_candidates", "download_models"),
    ("download_models", "write_scripts"),
    ("write_scripts", "test_scripts"),
    ("test_scripts", "criticise_scripts"),
    ("criticise_scripts", "repair_scripts"),
    ("criticise_scripts", "audition"),
    ("repair_scripts", "test_scripts"),
    ("audition", "estimate"),
    ("estimate", "ask_to_spend"),
    ("estimate", "annotate_stage"),
    ("ask_to_spend", "annotate_stage"),
    ("annotate_stage", "vote"),
    ("vote", "review"),
    ("review", "review"),
    ("review", "spot_check"),
    ("spot_check", "criticise_stage"),
    ("criticise_stage", "relabel"),
    ("criticise_stage", "ask_to_go_on"),
    ("criticise_stage", "finish_stage"),
    ("relabel", "finish_stage"),
    ("ask_to_go_on", "finish_stage"),
    ("finish_stage", "fine_tune"),
    ("finish_stage", "annotate_stage"),
    ("finish_stage", "audit"),
    ("audit", "certify"),
    ("certify", "report"),
    ("fine_tune", "gate"),
    ("gate", "annotate_stage"),
    ("report", "__end__"),
}


def test_the_edges_are_those_of_the_design() -> None:
    drawn = build_graph().compile().get_graph()
    assert {(edge.source, edge.target) for edge in drawn.edges} == EDGES


def test_langgraph_json_names_the_graph() -> None:
    named = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["annotate"]
    path, function = named.split(":")
    assert (ROOT / path).is_file()
    assert function == build_graph.__name__


def measure_state(out: Path) -> int:
    """Return the bytes of a finished run's last state, as its checkpoint holds them."""
    with sqlite3.connect(out / "checkpoints.sqlite") as connection:
        saver = SqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        found = saver.get_tuple({"configurable": {"thread_id": out.name}})
        assert found is not None
        values = {name: value for name, value in found.checkpoint["channel_values"].items() if "branch:" not in name}
    return len(json.dumps(values))


def test_the_state_does_not_grow_with_the_rows(cli: Cli, one_model_hub: str, tmp_path: Path) -> None:
    sizes = []
    for rows in (40, 200):
        data = tmp_path / f"{rows}.txt"
        data.write_text("\n".join(text for text, _ in make_sentences(rows, seed=2)), encoding="utf-8")
        out = tmp_path / str(rows) / "out"
        done = cli(
            "run", SENTENCE, "--data", data, "--hub", one_model_hub, "--sandbox", "process", "--models", "1",
            "--no-learning", "--stage-size", "20", "--out", out,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        sizes.append(measure_state(out))
    assert abs(sizes[1] - sizes[0]) <= 10, "only the digits of its counters may grow"
