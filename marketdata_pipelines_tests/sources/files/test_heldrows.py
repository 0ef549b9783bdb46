"""Rows of a repeated hour are kept back and given out whole."""

from collections.abc import Callable

from marketdata_pipelines_tests.sources.files.conftest import Outcome, build_feed, read_whole


def test_bid_and_ask_of_a_repeated_hour_come_each_in_file_order(read: Callable[..., Outcome]) -> None:
    header = "Time,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose\n"
    clocks = ("00:59", "01:30", "01:30", "01:59", "01:00")
    text = header + "".join(f"2013-11-03 {clock},1,2,0.5,1.5,1,2,0.5,1.5\n" for clock in clocks)

    outcome = read("GBPUSD.csv", text, calendar="fx", timezone="America/New_York")

    assert outcome.column("row") == [1, 1, 2, 3, 4, 5, 2, 3, 4, 5]
    assert [symbol[-3:] for symbol in outcome.column("symbol")] == ["BID", "ASK", *["BID"] * 4, *["ASK"] * 4]
    assert [time[11:16] for time in outcome.times[2:6]] == ["05:30", "05:30", "05:59", "06:00"]


def test_a_kept_row_keeps_its_other_rules(read: Callable[..., Outcome]) -> None:
    header = "symbol,timestamp,open,high,low,close,volume\n"
    text = header + "SPY,2013-11-03 01:30,x,2,0.5,1.5,100\nSPY,2013-11-03 02:30,1,2,0.5,1.5,100\n"

    outcome = read("a.csv", text, timezone="America/New_York")

    assert outcome.flagged == {1: "unparsable_price;local_time_ambiguous"}


def test_rows_are_kept_across_chunks(write: Callable[[str, str], str]) -> None:
    header = "symbol,timestamp,open,high,low,close,volume\n"
    minutes = [f"2013-11-03 01:{minute:02d}" for minute in range(60)]
    filler = ["2013-11-03 00:30"] * 8000
    times = [*minutes, *filler, *minutes]
    path = write("a.csv", header + "".join(f"SPY,{time},1,2,0.5,1.5,100\n" for time in times))

    outcome = read_whole(path, build_feed(timezone="America/New_York"), chunk_bytes=1)

    assert outcome.flagged == {}
    assert sorted({time[11:13] for time in outcome.times}) == ["04", "05", "06"]
    assert outcome.column("row")[-120:] == [*range(1, 61), *range(8061, 8121)]
