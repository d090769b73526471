"""The table of searches by processor time."""

from __future__ import annotations

from tools.planning_tables import SEARCHES, Tail, budget_table


def tails(seconds: float, prompts: int, ahead: float) -> list[Tail]:
    """Each search of each prompt; tree search is ahead of the others by about as much as is said."""
    return [
        Tail(method, 0, f"tune {prompt}", 0.5 + 0.01 * prompt + ahead * (method == "mcts"), 9, seconds, 1.0, 5, [])
        for prompt in range(prompts)
        for method in SEARCHES
    ]


def test_a_row_for_each_time_in_their_order() -> None:
    lines = budget_table({2.0: tails(2.0, 3, -0.1), 0.5: tails(0.5, 4, 0.2)}).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert lines[2].startswith("| 0.5 | 4 | 0.515 | 0.515 | 0.515 | 0.715 | +0.200 (+0.200 to +0.200) |")
    assert lines[3].startswith("| 2 | 3 | 0.510 | 0.510 | 0.510 | 0.410 | -0.100 (-0.100 to -0.100) |")


def test_a_time_for_which_a_search_is_missing_has_no_row() -> None:
    assert len(budget_table({1.0: [tail for tail in tails(1.0, 2, 0.1) if tail.method != "smc"]}).splitlines()) == 2
