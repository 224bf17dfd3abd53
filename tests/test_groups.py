"""Tests of one group share a worker, and so the run that they look at."""

import pytest


@pytest.mark.xdist_group("groups")
def test_a_group_is_known_to_who_hands_out_the_tests(request: pytest.FixtureRequest) -> None:
    """A worker tells a test's group in its id. Where it does not, every worker makes each shared run again."""
    grouped = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@groups") == grouped
