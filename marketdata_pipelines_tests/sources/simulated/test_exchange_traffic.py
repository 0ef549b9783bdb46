"""Counting calls in sliding windows."""

from marketdata_pipelines.sources.simulated.exchange_traffic import Traffic


def test_calls_beyond_the_limit_are_told_how_long_to_wait() -> None:
    now = [0.0]
    traffic = Traffic(2, 1.0, lambda: now[0])

    first = [traffic.arrive() for _ in range(2)]
    now[0] = 0.25
    third = traffic.arrive()

    assert first == [(0, None), (1, None)]
    assert third == (2, 0.75)
    assert (traffic.calls, traffic.throttled, traffic.largest_window) == (3, 1, 3)


def test_a_window_slides() -> None:
    now = [0.0]
    traffic = Traffic(2, 1.0, lambda: now[0])

    told = []
    for moment in (0.0, 0.9, 1.0, 1.5, 1.9):
        now[0] = moment
        told.append(traffic.arrive()[1])

    # At 1.0 the call of 0.0 is out of the window; at 1.5 those of 0.9 and 1.0 are in it.
    assert [wait is None for wait in told] == [True, True, True, False, False]


def test_without_a_limit_calls_are_only_counted() -> None:
    traffic = Traffic(None, 1.0, lambda: 0.0)

    assert [traffic.arrive()[1] for _ in range(9)] == [None] * 9
    assert traffic.largest_window == 9
