"""Stretches without a success, and those that are none."""

import pytest
from windows import flat_window

from loadtest.core.measure.silence import silences, silent_share
from loadtest.core.measure.window import Window


def windows(ok: list[int], *, users: int = 2, max_ms: float = 20.0) -> list[Window]:
    """A window of one second for each number of successes."""
    return [
        flat_window(
            index=i,
            start_s=float(i),
            end_s=i + 1.0,
            level=0,
            users=users,
            running=users,
            active=float(users),
            in_flight=1.0,
            ok=n,
            max_ms=max_ms if n else None,
        )
        for i, n in enumerate(ok)
    ]


@pytest.mark.parametrize(
    ("ok", "options", "expected"),
    [
        pytest.param([5, 5, 5], {}, (), id="none"),
        pytest.param([5, 0, 5], {}, (), id="one second is a hiccup"),
        pytest.param([5, 0, 0, 5], {}, ((1.0, 3.0),), id="in the middle"),
        pytest.param([5, 5, 0, 0, 0], {}, ((2.0, 5.0),), id="to the end"),
        pytest.param([0, 0, 5, 0, 0], {}, ((0.0, 2.0), (3.0, 5.0)), id="twice"),
        pytest.param([0, 0, 0], {}, ((0.0, 3.0),), id="always"),
        pytest.param([5, 0, 0, 5], {"users": 0}, (), id="nobody asked"),
        pytest.param([1, 0, 0, 1], {"max_ms": 1500.0}, (), id="answers that take long"),
        pytest.param([], {}, (), id="nothing"),
    ],
)
def test_silences(ok: list[int], options: dict[str, float], expected: tuple[tuple[float, float], ...]) -> None:
    assert silences(windows(ok, **options)) == expected  # type: ignore[arg-type]


def test_the_share_of_a_run_in_which_nothing_succeeded() -> None:
    def windows(ok: list[int]) -> list[Window]:
        return [
            flat_window(i, users=2, ok=n, errors={} if n else {"server_error": 40}, max_ms=20.0)
            for i, n in enumerate(ok)
        ]

    assert silent_share(windows([50] * 3 + [0] * 9)) == 0.75
    assert silent_share(windows([50] * 12)) == 0.0
    few = [flat_window(i, users=2, ok=2, errors={"server_error": 40}, max_ms=20.0) for i in range(9)]
    assert silent_share([*windows([50] * 3), *few]) == 0.75
    half = [flat_window(i, users=2, ok=20, errors={"server_error": 20}, max_ms=20.0) for i in range(9)]
    assert silent_share([*windows([50] * 3), *half]) == 0.0
    assert silent_share([]) == 0.0
