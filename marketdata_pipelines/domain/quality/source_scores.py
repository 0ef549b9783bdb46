"""How far two feeds agree, session by session, and a score of 0 to 100 for each of the two.

A score is 100 x (1 - doubted / compared) of one session and pair: a disputed bar, or one that a side lacks, is doubted
on the side that is likelier wrong, and as a half on both where that is unknown. Prices on another scale and volumes
that differ throughout cost nothing: both sides may be right.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from marketdata_pipelines.domain.quality.comparing import Compared, Versus
from marketdata_pipelines.domain.quality.disputes import SOURCE_SCORE_SCHEMA

_SUMS = ("compared", "own_bars", "other_bars", "agreeing", "own_wrong", "other_wrong")


def source_scores(feed: str, compared: Sequence[tuple[Versus, Compared]]) -> pa.Table:
    """The scores of `feed` and of each feed it was compared with.

    Shape:   SOURCE_SCORE_SCHEMA, two rows a session and other feed, sorted by (session_date, other_feed, source).
    """
    rows = []
    for versus, each in compared:
        summed = each.agreement.group_by("session_date").aggregate([(name, "sum") for name in _SUMS])
        for row in summed.to_pylist():
            for source, side in ((feed, "own"), (versus.feed, "other")):
                total = row["compared_sum"]
                rows.append(
                    {
                        "session_date": row["session_date"],
                        "other_feed": versus.feed,
                        "source": source,
                        "timeframe": versus.timeframe,
                        "compared": total,
                        "present": row[f"{side}_bars_sum"],
                        "agreeing": row["agreeing_sum"],
                        "agreement": row["agreeing_sum"] / total,
                        "coverage": row[f"{side}_bars_sum"] / total,
                        "score": 100 * (1 - row[f"{side}_wrong_sum"] / total),
                    }
                )
    table = pa.Table.from_pylist(rows, schema=SOURCE_SCORE_SCHEMA)
    order = [(key, "ascending") for key in ("session_date", "other_feed", "source")]
    return table.take(pc.sort_indices(table, order))
