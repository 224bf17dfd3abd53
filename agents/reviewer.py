"""The reviewer: a second opinion on the rows that are likely wrong."""

from agents.base import ReviewRequest
from records.rows import Review, Source
from specialists.consensus import TooLittleConsensusError, predict_from_consensus


class OfflineReviewer:
    """A classifier taught by the rows on which all specialists agree; no language model, and no more than that."""

    source: Source = "offline"

    def review(self, request: ReviewRequest) -> tuple[Review, ...]:
        """Return one review a row, in their order; all failed, with the reason, where the consensus teaches nothing."""
        if not request.rows:
            return ()
        names = request.task.label_names
        consensus = request.consensus
        try:
            probs = predict_from_consensus(consensus.features, consensus.labels, consensus.review_features, len(names))
        except TooLittleConsensusError as error:
            return tuple(
                Review(row=row.row, label=None, source=self.source, failed=True, reason=str(error))
                for row in request.rows
            )
        return tuple(
            Review(
                row=row.row, label=names[int(row_probs.argmax())], source=self.source, sureness=float(row_probs.max())
            )
            for row, row_probs in zip(request.rows, probs, strict=True)
        )
