"""Whether what a certificate states is true as often as it says, and what it costs: simulated runs with known truth.

Each run has a stream, an expert and a vote that was taught by reviewed rows before the audit, and is looked at after
every 25 audited rows. A run that states what is not true is a violation. The reviews that a target takes are held
against the fewest after which the vote's own labels truly meet it, and against the fewest that any test on a uniform
sample could promise.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from rich.console import Console

from autoannotator.commands import Outcome
from bench.certificate_costs import COST_RUNS, list_cases, simulate_costs, summarise_costs, summarise_extra
from bench.certificate_streams import play_streams
from bench.measuring import BenchResult, Measure, describe_machine, make_folder, tabulate_result, write_raw
from bench.rates import SimulatedRun, estimate_mean, summarise_violations
from bench.simulated_runs import CONFIDENCE, TARGET, Labelled, World, learn, make_stream, play, play_target
from specialists.arrays import Integers
from specialists.audit import LOOK
from specialists.betting import bound_total_always, expect_share
from specialists.bounds import bound_share, bound_total
from specialists.certificate import count_allowed, share_error, size_sample, state_bound

RUNS, QUICK_RUNS = 1000, 10
WIDTH_RUNS, QUICK_WIDTH_RUNS = 2000, 100
WIDTH_ROWS, WIDTH_DRAWS = 10_000, 300
STREAM_RUNS, QUICK_STREAM_RUNS = 20, 2
"""Runs of a real stream with one reviewer."""
MOST_PEEKED = 600
"""Rows drawn at most in an audit without a target that is looked at as it grows."""

WORLDS = {
    "reviewer_65": World(accuracy=0.65),
    "reviewer_75": World(accuracy=0.75),
    "reviewer_85": World(accuracy=0.85),
    "reviewer_95": World(accuracy=0.95),
    "drift": World(drift=1.0),
    "copies": World(copies=0.3),
    "unanswered": World(unanswered=0.01),
}

Play = Callable[[np.random.Generator], SimulatedRun]


def certificate(options: argparse.Namespace) -> Outcome:
    """Run the benchmark. Raises PersonError where `--out` cannot be written to, DataError for a folder without corpora,
    and as the hub and the engine do."""
    console = Console(stderr=True)
    make_folder(options.out)
    machine = describe_machine()
    runs = options.seeds or (QUICK_RUNS if options.quick else RUNS)
    simulated: list[SimulatedRun] = []
    measures: list[Measure] = []
    for number, (name, play_run) in enumerate(list_scenarios().items()):
        console.print(f"{name}: {runs} runs", markup=False, highlight=False)
        results = [play_run(np.random.default_rng([number, seed])) for seed in range(runs)]
        simulated += results
        measures.append(summarise_violations(f"violations_{name}", results, 1.0 - CONFIDENCE, few=options.quick))
    measures += measure_widths(QUICK_WIDTH_RUNS if options.quick else WIDTH_RUNS)
    for case in list_cases(quick=options.quick):
        console.print(f"{case.name}: reviews", markup=False, highlight=False)
        results = simulate_costs(case, min(runs, COST_RUNS))
        simulated += results
        measures += summarise_costs(case, results, few=options.quick)
    seeds = min(runs, QUICK_STREAM_RUNS if options.quick else STREAM_RUNS)
    on_streams = play_streams(
        options.data, seeds, lambda told: console.print(told, markup=False, highlight=False), quick=options.quick
    )
    simulated += on_streams
    for name in dict.fromkeys(one.scenario for one in on_streams):
        measures += summarise_extra(name, [one for one in on_streams if one.scenario == name], few=options.quick)
    result = BenchResult(
        bench="certificate",
        machine=machine,
        data=f"simulated streams; `stream_`: {options.data or 'the shipped sample bench/data'}, simulated reviewers",
        method=f"{runs} runs a scenario, at most {COST_RUNS} where reviews are counted. Rates with Clopper and "
        "Pearson's interval; a violation is a run that states what is not true. `extra`: reviews, audit included, "
        "beyond the fewest after which the own labels truly meet the target, on average and in the 95th of 100 runs; "
        "`extra_least`: what any test on a uniform sample needs of them to be passed by 95 % of the runs.",
        measures=tuple(measures),
    )
    write_raw(options.out, result, simulated)
    return Outcome([tabulate_result(result)], result.model_dump(mode="json"))


def list_scenarios() -> dict[str, Play]:
    """Return each scenario's name and how one of its runs is played."""
    scenarios: dict[str, Play] = {
        f"{way}_{name}": partial(play_in, name=f"{way}_{name}", world=WORLDS[name])
        for way, (play_in, names) in WAYS.items()
        for name in names
    }
    scenarios["target_on_the_edge"] = play_on_the_edge
    return scenarios


def play_fixed(rng: np.random.Generator, name: str, world: World) -> SimulatedRun:
    """Play a run without a target: an audit of a size that was fixed beforehand."""
    scores, stream = make_stream(rng, world)
    stream = learn(rng, scores, stream, None)
    unreviewed, known = np.flatnonzero(~stream.reviewed), int((stream.reviewed & stream.differs).sum())
    drawn = rng.choice(unreviewed, size=size_sample(world.rows, len(unreviewed)), replace=False)
    after = stream.review(drawn)
    mended = int(stream.differs.sum() - after.differs.sum())
    statement = state_bound(
        rows=world.rows,
        known=known,
        unreviewed=len(unreviewed),
        drawn=len(drawn),
        wrong=int(stream.differs[drawn].sum()),
        mended=mended,
        error=share_error(CONFIDENCE, 0),
    )
    differing = int(after.differs.sum())
    violated = statement.differing is None or differing > statement.differing
    return SimulatedRun(scenario=name, verdict=statement.verdict, violated=violated, differing=differing)


def play_peeked(rng: np.random.Generator, name: str, world: World) -> SimulatedRun:
    """Play an audit whose bound is read after every 25 rows; violated if it is once below the truth."""
    scores, stream = make_stream(rng, world)
    stream = learn(rng, scores, stream, None)
    unreviewed = np.flatnonzero(~stream.reviewed)
    wrong = np.cumsum(stream.differs[rng.permutation(unreviewed)], dtype=np.int64)[LOOK - 1 : MOST_PEEKED : LOOK]
    drawn = LOOK * np.arange(1, len(wrong) + 1)
    prior = expect_share(float(stream.risk[unreviewed].mean()))
    bound = int(bound_total_always(wrong, drawn, len(unreviewed), 1.0 - CONFIDENCE, prior)[-1])
    differing = int(stream.differs[unreviewed].sum())
    return SimulatedRun(scenario=name, verdict="bound", violated=differing > bound, differing=differing)


def play_world(rng: np.random.Generator, name: str, world: World) -> SimulatedRun:
    """Play a run under a target: learning, audit and widening."""
    scores, stream = make_stream(rng, world)
    return play(rng, name, learn(rng, scores, stream, count_allowed(world.rows, TARGET)))


def play_changed(rng: np.random.Generator, name: str, world: World) -> SimulatedRun:
    """Play a run whose budget often ends it early, and which is resumed under other targets, each by a fresh audit;
    violated if any of its statements is untrue."""
    scores, stream = make_stream(rng, world)
    stream = learn(rng, scores, stream, count_allowed(world.rows, TARGET))
    claims = 0
    verdicts: list[str] = []
    violated = False
    for target, most in ((TARGET, 400), (0.13, 300), (0.08, None)):
        errors = share_error(CONFIDENCE, claims), share_error(CONFIDENCE, claims + 1)
        played = play_target(rng, stream, target, errors, most=most)
        stream, verdict = played.after, played.statement.verdict
        claims += {"certified": 1, "not certified": 2, "not certifiable": 0}[verdict]
        verdicts.append(verdict)
        violated |= not played.true
    return SimulatedRun(scenario=name, verdict=", ".join(verdicts), violated=violated)


def play_on_the_edge(rng: np.random.Generator) -> SimulatedRun:
    """Play a run made to fail: somewhat more rows differ than may, the order of risk means nothing, and the vote thinks
    that half as many as may do."""
    rows = 3000
    answer = (rng.permutation(rows) < 1.03 * TARGET * rows).astype(np.int64)
    none = np.zeros(rows, dtype=np.int64)
    risk = np.full(rows, 0.5 * TARGET)
    stream = Labelled(none, answer, none == 0, none > 0, risk, np.arange(rows))
    return play(rng, "target_on_the_edge", stream)


def measure_widths(runs: int) -> list[Measure]:
    """Return how far bounds at 300 of 10,000 rows lie above the true share on average: the one for every look,
    with a fitting prior and with one that is off by half, the best that holds at this size only, and Clopper and
    Pearson's."""
    measures: list[Measure] = []
    looks = np.arange(LOOK, WIDTH_DRAWS + 1, LOOK)
    rng = np.random.default_rng(0)
    for share in (0.02, 0.10, 0.20):
        total = round(share * WIDTH_ROWS)
        wrong = np.stack([_count_wrong(rng, total, looks) for _ in range(runs)])
        always = {
            name: [bound_total_always(one, looks, WIDTH_ROWS, 0.05, expect_share(prior))[-1] for one in wrong]
            for name, prior in (("always", share), ("always_prior_off", share / 2))
        }
        fixed = bound_total(wrong[:, -1], np.array(WIDTH_DRAWS), np.array(WIDTH_ROWS), 0.05)
        classic = bound_share(wrong[:, -1], np.array(WIDTH_DRAWS), 0.05) * WIDTH_ROWS
        for name, bounds in {**always, "fixed_size": fixed, "clopper_pearson": classic}.items():
            width = (np.asarray(bounds, dtype=np.float64) - total) / WIDTH_ROWS
            measures.append(estimate_mean(f"width_{name}_{100 * share:.0f}", width, "share"))
    return measures


def _count_wrong(rng: np.random.Generator, total: int, looks: Integers) -> Integers:
    """Return how many rows of a sample differ at each look (n_looks,), where the first `total` rows do."""
    drawn = rng.choice(WIDTH_ROWS, size=int(looks[-1]), replace=False)
    return np.cumsum(drawn < total, dtype=np.int64)[looks - 1]


WAYS = {
    "fixed": (play_fixed, tuple(WORLDS)),
    "peeked": (play_peeked, ("reviewer_65", "reviewer_95", "drift", "copies")),
    "target": (play_world, tuple(WORLDS)),
    "changed": (play_changed, ("reviewer_85", "drift", "copies")),
}
"""How runs are played, and in which worlds."""
