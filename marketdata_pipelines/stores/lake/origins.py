"""Where pulled rows came from: vendors' answers verbatim, each content once, compressed, in the order they came.

    <lake>/origins/<feed>/<sha256>.zst     one answer's body
    <lake>/origins/<feed>/<id>.json        an origin: the requests of one window and the bodies they were answered with

A raw part's ingest names its origin as `origin://<provider>/<id>`. Both files are written before the part that names
them; what a killed pull left there is named by nothing and does no harm.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from marketdata_pipelines.errors import PartitionMissing, StoreError
from marketdata_pipelines.stores.lake.layout import LakeLayout

_SCHEME = "origin://"


@dataclass(frozen=True, slots=True)
class OriginPayload:
    """One answer of a vendor: its body, what was asked (without secrets), and when, UTC microseconds."""

    content: bytes
    request: str
    received_us: int


def write_origin(layout: LakeLayout, feed: str, provider: str, payloads: Sequence[OriginPayload]) -> str:
    """Keep answers in order; returns the origin's name, `origin://<provider>/<id>`."""
    listed = []
    for payload in payloads:
        sha256 = hashlib.sha256(payload.content).hexdigest()
        path = layout.origin_body(feed, sha256)
        if not path.exists():
            _write(path, pa.Codec("zstd").compress(payload.content, asbytes=True), layout.temporary)
        listed.append({"request": payload.request, "received_us": payload.received_us, "sha256": sha256,
                       "bytes": len(payload.content)})  # fmt: skip
    document = json.dumps({"provider": provider, "payloads": listed}, sort_keys=True, indent=1).encode()
    origin_id = hashlib.sha256(document).hexdigest()[:32]
    path = layout.origin_list(feed, origin_id)
    if not path.exists():
        _write(path, document, layout.temporary)
    return f"{_SCHEME}{provider}/{origin_id}"


def is_origin(name: str) -> bool:
    """Whether an ingest's path names an origin."""
    return name.startswith(_SCHEME)


def read_origin(layout: LakeLayout, feed: str, name: str) -> list[OriginPayload]:
    """The answers an origin is made of, in the order they came.

    Errors: PartitionMissing when its files are not there; StoreError when they are damaged.
    """
    path = layout.origin_list(feed, name.rpartition("/")[2])
    try:
        listed = json.loads(path.read_bytes())["payloads"]
        return [_read_payload(layout, feed, item) for item in listed]
    except FileNotFoundError as error:
        raise PartitionMissing(
            f"{name} of {feed} is not in {path.parent}: its vendor's answers were removed"
        ) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise StoreError(f"{name} of {feed} cannot be read ({error}); restore {path.parent} from a backup") from error


def _read_payload(layout: LakeLayout, feed: str, item: dict[str, object]) -> OriginPayload:
    packed, sha256 = layout.origin_body(feed, str(item["sha256"])).read_bytes(), item["sha256"]
    content = pa.Codec("zstd").decompress(packed, int(str(item["bytes"])), asbytes=True) if item["bytes"] else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(f"the answer {sha256} of {feed} is damaged; restore it from a backup")
    return OriginPayload(content, str(item["request"]), int(str(item["received_us"])))


def _write(path: Path, content: bytes, temporary_folder: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_folder.mkdir(parents=True, exist_ok=True)
    temporary = temporary_folder / f"{os.getpid()}-{secrets.token_hex(6)}.tmp"
    try:
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
