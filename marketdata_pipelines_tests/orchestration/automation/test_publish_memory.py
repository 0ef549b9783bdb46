"""The publishing sensor's cursor."""

from marketdata_pipelines.orchestration.automation.publish_memory import Away, PublishMemory


def test_a_memory_comes_back_from_its_cursor() -> None:
    memory = PublishMemory({"demo timescale": "abc"}, {"demo timescale": 7}, {"timescale": Away(2, 9)})

    assert PublishMemory.from_text(memory.text()) == memory


def test_a_cursor_of_another_make_is_an_empty_memory() -> None:
    texts = [None, "", "7", "no json", '{"settled": 3}', '{"away": {"timescale": [1]}}', '{"asked_us": {"a": "x"}}']

    assert [PublishMemory.from_text(text) for text in texts] == [PublishMemory()] * len(texts)


def test_a_server_is_left_alone_for_twice_as_long_each_time_and_fifteen_minutes_at_most() -> None:
    away, waits = Away(), []

    for _ in range(8):
        away = away.again(0)
        waits.append(away.until_us // 1_000_000)

    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
