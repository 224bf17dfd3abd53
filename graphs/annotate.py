"""The annotation graph: from a sentence and a file to labels and a report.

analyse_task → search_hub → select_candidates → download_models → write_scripts → test_scripts → criticise_scripts
      ▲ ask_person                                                    └── repair_scripts ◄──────────┘ (bounded)
criticise_scripts → audition → estimate ( → ask_to_spend )
estimate → [ annotate_stage → vote → review ( → review … ) → spot_check → criticise_stage
           ( → relabel, or → ask_to_go_on ) → finish_stage → (pool ≥ β) fine_tune → gate ] for each stage
           → audit → certify → report
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs import (
    auditing,
    auditioning,
    criticising,
    estimating,
    fetching,
    gating,
    learning,
    preparing,
    reporting,
    scripting,
    staging,
)
from graphs.context import RunContext
from graphs.state import RunState, Update
from records.events import NodeStarted

Node = Callable[[RunState, Runtime[RunContext]], Command[Any] | Update | None]

WAITING: tuple[Node, ...] = (preparing.ask_person, estimating.ask_to_spend, criticising.ask_to_go_on)
"""The nodes that wait for a person; such a node may have no effect before it has the answer."""

NODES: tuple[Node, ...] = (
    preparing.analyse_task,
    preparing.ask_person,
    preparing.search_hub,
    preparing.select_candidates,
    fetching.download_models,
    scripting.write_scripts,
    scripting.test_scripts,
    scripting.criticise_scripts,
    scripting.repair_scripts,
    auditioning.audition,
    estimating.estimate,
    estimating.ask_to_spend,
    staging.annotate_stage,
    staging.vote,
    staging.review,
    staging.spot_check,
    criticising.criticise_stage,
    criticising.ask_to_go_on,
    staging.relabel,
    staging.finish_stage,
    learning.fine_tune,
    gating.gate,
    auditing.audit,
    auditing.certify,
    reporting.report,
)


def build_graph() -> StateGraph[RunState, RunContext, RunState, RunState]:
    """Return the graph, which `langgraph.json` names.

    Where a node goes next is its return type, `Command[Literal[...]]`, or an edge here.
    """
    graph: StateGraph[RunState, RunContext, RunState, RunState] = StateGraph(RunState, context_schema=RunContext)
    for node in NODES:
        graph.add_node(node.__name__, cast(Any, _announced(node)))
    graph.add_edge(START, "analyse_task")
    graph.add_edge("search_hub", "select_candidates")
    graph.add_edge("select_candidates", "download_models")
    graph.add_edge("download_models", "write_scripts")
    graph.add_edge("write_scripts", "test_scripts")
    graph.add_edge("test_scripts", "criticise_scripts")
    graph.add_edge("repair_scripts", "test_scripts")
    graph.add_edge("audition", "estimate")
    graph.add_edge("ask_to_spend", "annotate_stage")
    graph.add_edge("annotate_stage", "vote")
    graph.add_edge("vote", "review")
    graph.add_edge("spot_check", "criticise_stage")
    graph.add_edge("relabel", "finish_stage")
    graph.add_edge("ask_to_go_on", "finish_stage")
    graph.add_edge("fine_tune", "gate")
    graph.add_edge("audit", "certify")
    graph.add_edge("certify", "report")
    graph.set_finish_point("report")
    return graph


def _announced(node: Node) -> Node:
    """Return the node with an event at its start, but for those that wait for a person."""
    if node in WAITING:
        return node

    @wraps(node)
    def announced(state: RunState, runtime: Runtime[RunContext]) -> Command[Any] | Update | None:
        runtime.context.emit(NodeStarted(node=node.__name__, stage=state.get("stage")))
        return node(state, runtime)

    return announced
