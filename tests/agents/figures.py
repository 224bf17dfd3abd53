"""The figures of a stage with two labels and two specialists, small enough to count by hand."""

from records.figures import StageCounts, StageFigures, VoterCounts

VOTE = VoterCounts(
    rows=100,
    reviewed=20,
    labels={"good": 60, "bad": 40},
    agreed=100,
    confusion={"good": {"good": 9, "bad": 6}, "bad": {"bad": 5}},
)
RIGHT = VoterCounts(
    rows=100,
    reviewed=20,
    labels={"good": 55, "bad": 45},
    agreed=90,
    confusion={"good": {"good": 8}, "bad": {"bad": 11, "good": 1}},
)
WRONG = VoterCounts(
    rows=100, reviewed=20, labels={"good": 100, "bad": 0}, agreed=60, confusion={"good": {"good": 9, "bad": 11}}
)
THIS_STAGE = StageCounts(
    rows=100,
    unanimous=50,
    undecided=2,
    failed=1,
    unreviewed=77,
    spot_checked=2,
    spot_differing=1,
    labels={"good": 54, "bad": 46},
    vote=VOTE,
    specialists={"a--right": RIGHT, "b--wrong": WRONG},
)


def make_figures(stage: int = 2, stages_left: int = 3) -> StageFigures:
    return StageFigures(
        stage=stage,
        stages_left=stages_left,
        specialists=("a--right", "b--wrong"),
        review_share=0.2,
        largest_review_share=0.5,
        promoted=1,
        rejected=2,
        this_stage=THIS_STAGE,
        so_far=THIS_STAGE + THIS_STAGE if stage else THIS_STAGE,
    )
