"""The random integers every simulated number comes from."""

import numpy as np

from marketdata_pipelines.sources.simulated.randomness import Stream, bits, derive, draw, draw_rows, text_keys


def test_draws_are_the_published_splitmix64_sequence_of_seed_0() -> None:
    key = np.zeros(1, np.uint64)

    drawn = draw_rows(key, 3)

    assert [hex(value) for value in drawn[0].tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_keys_of_texts_are_pinned() -> None:
    keys = text_keys(7, ("AAA", "BBB"))

    assert [hex(value) for value in keys.tolist()] == ["0xb61ee597a1e7ebc0", "0x973a4d1c0acf1858"]


def test_a_draw_by_index_is_the_draw_in_its_row() -> None:
    keys = text_keys(1, ("AAA", "BBB"))

    single = draw(keys, np.array([5, 2]))

    rows = draw_rows(keys, 6)
    assert single.tolist() == [rows[0, 5], rows[1, 2]]


def test_streams_and_numbers_give_different_keys() -> None:
    keys = text_keys(1, ("AAA",))

    derived = {int(derive(keys, stream, number)[0]) for stream in Stream for number in range(100)}

    assert len(derived) == 100 * len(Stream)


def test_bits_are_uniform() -> None:
    drawn = bits(draw_rows(text_keys(3, ("AAA",)), 64_000), 20, 4)

    counts = np.bincount(drawn[0], minlength=16)
    assert counts.min() > 3_700
    assert counts.max() < 4_300
