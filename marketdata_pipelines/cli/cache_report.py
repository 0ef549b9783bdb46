"""What `marketdata cache stats` tells: figures of all processes as one record, and as lines for a terminal."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marketdata_pipelines.stores.redis.store import RedisStore


def stats_record(store: "RedisStore") -> dict[str, Any]:
    """Answers by kind and tier over all processes, each process's memory, and what Redis keeps; plain values.

    Errors: StoreUnavailable when Redis does not answer.
    """
    from dataclasses import asdict

    from marketdata_pipelines.serving.cache.sharing import added_up, read_figures
    from marketdata_pipelines.serving.cache.statistics import Tier, answered_by, hit_ratio

    processes = read_figures(store)
    together = added_up(processes)
    server, kept = store.server_memory(), store.namespace_memory()
    events: dict[str, int] = {}
    for each in processes:
        for name, count in each.events.items():
            events[name] = events.get(name, 0) + count
    return {
        "hit_ratio": hit_ratio(together, Tier.L1, Tier.L2),
        "l1_hit_ratio": hit_ratio(together, Tier.L1),
        "answers": [
            {
                "kind": each.kind.value,
                "tier": each.tier.value,
                "count": each.count,
                "p50_ms": _ms(each.p50_seconds),
                "p99_ms": _ms(each.p99_seconds),
            }
            for each in answered_by(together)
        ],
        "events": events,
        "processes": [{"process": each.process, **asdict(each.l1)} for each in processes],
        "redis": {**asdict(server), "warning": server.warning(kept.budget_bytes)},
        "kept": asdict(kept),
    }


def stats_lines(record: dict[str, Any]) -> list[str]:
    """The same for people."""
    redis, kept = record["redis"], record["kept"]
    shares = f"hits {_percent(record['hit_ratio'])}, in their own memory {_percent(record['l1_hit_ratio'])}"
    lines = [f"processes in the last minute: {len(record['processes'])}; {shares}"]
    for each in record["answers"]:
        times = f"p50 {_shown(each['p50_ms'])}, p99 {_shown(each['p99_ms'])}"
        lines.append(f"  {each['kind']:<7} {_TIERS[each['tier']]:<12} {each['count']:>12,}  {times}")
    told = [f"{count:,} {name.replace('_', ' ')}" for name, count in record["events"].items() if count]
    if told:
        lines.append("  " + ", ".join(told))
    for each in record["processes"]:
        full = f"{each['bytes'] / 1e6:,.1f} of {each['max_bytes'] / 1e6:,.0f} MB"
        lines.append(f"  {each['process']}: {each['entries']:,} entries, {full}, {each['evicted']:,} evicted")
    limit = f" of {redis['limit_bytes'] / 1e6:,.0f} MB ({redis['policy']})" if redis["limit_bytes"] else ""
    lines.append(
        f"Redis: {redis['used_bytes'] / 1e6:,.1f}{limit or ' MB'}, {redis['keys']:,} keys, "
        f"{redis['evicted']:,} evicted, {redis['hits']:,} hits, {redis['misses']:,} misses"
    )
    if kept["budget_bytes"]:
        dropped = f", {kept['dropped']:,} groups of values dropped for it" if kept["dropped"] else ""
        lines.append(f"budget: {kept['bytes'] / 1e6:,.1f} of {kept['budget_bytes'] / 1e6:,.0f} MB{dropped}")
    for table in kept["tables"]:
        size = f"{table['bytes'] / 1e6:,.1f} MB, {table['keys']:,} values, {table['partitions']:,} partitions"
        lines.append(f"  {table['feed']} {table['table']}: {size}")
    if redis["warning"]:
        lines.append(f"note: {redis['warning']}")
    return lines


_TIERS = {"l1": "own memory", "l2": "Redis", "l3": "lake"}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 4)


def _shown(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:,.3f} ms"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
