"""`marketdata up` on a home of its own, asked over GraphQL by Dagster's client; one for all tests of this folder."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dagster_graphql import DagsterGraphQLClient

SECONDS_TO_START = 90.0
SECONDS_TO_WAIT = 150.0
LOCATION = "marketdata_pipelines"
LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
BACKFILL = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status title runs(limit: 50) { id status tags { key value } } }
  }
}"""
LOADED = "{ repositoryLocationOrError: workspaceOrError { ... on Workspace { locationEntries { loadStatus "
LOADED += "locationOrLoadError { __typename ... on PythonError { message } } } } } }"
_Found = TypeVar("_Found")


class LiveDagster:
    """A running `marketdata up` on `home`: `url` is its page, `client` Dagster's own GraphQL client."""

    def __init__(self, home: Path) -> None:
        self.home, self._log = home, home / "up.log"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MARKETDATA", "DAGSTER"))
        }
        environment |= {"MARKETDATA_HOME": str(home)}
        command = [sys.executable, "-m", "marketdata_pipelines.cli", "up", "--port", str(port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self.client = DagsterGraphQLClient("127.0.0.1", port_number=port)
        try:
            wait_for("the page to answer", self._answers, SECONDS_TO_START, self._alive)
            wait_for("the code location to load", self._is_loaded, SECONDS_TO_START, self._alive)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of any query or mutation."""
        found: dict[str, Any] = self.client._execute(query, variables)
        return found

    def launch(self, feed: str, assets: Sequence[str], keys: Sequence[str], title: str) -> str:
        """Ask for a backfill as the page does; returns its id."""
        selection = [{"path": [feed, asset]} for asset in assets]
        params = {"assetSelection": selection, "partitionNames": list(keys), "title": title}
        answer = self.ask(LAUNCH, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def backfill(self, backfill_id: str) -> dict[str, Any]:
        """Its status, title and runs."""
        found: dict[str, Any] = self.ask(BACKFILL, id=backfill_id)["partitionBackfillOrError"]
        return found

    def ended(self, backfill_id: str) -> dict[str, Any]:
        """The backfill once it is over."""
        going = ("REQUESTED", "CANCELING", "FAILING")

        def over() -> dict[str, Any] | None:
            found = self.backfill(backfill_id)
            return None if found["status"] in going else found

        return wait_for(f"backfill {backfill_id} to end", over, SECONDS_TO_WAIT, self._alive)

    def materialized(self, feed: str, asset: str) -> int:
        """How many partitions of an asset are there."""
        query = "query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {"
        query += " partitionStats { numMaterialized } } } }"
        node = self.ask(query, key={"path": [feed, asset]})["assetNodeOrError"]
        return int(node["partitionStats"]["numMaterialized"])

    def materialized_of(self, feed: str, asset: str, keys: Sequence[str]) -> list[str]:
        """Which of these partitions of an asset are there."""
        query = "query($key: AssetKeyInput!, $keys: [String!]) { assetNodeOrError(assetKey: $key) { ... on AssetNode {"
        query += " assetMaterializations(partitions: $keys) { partition } } } }"
        node = self.ask(query, key={"path": [feed, asset]}, keys=list(keys))["assetNodeOrError"]
        return sorted({event["partition"] for event in node["assetMaterializations"]})

    def partition_keys(self, feed: str, asset: str) -> list[str]:
        """The keys Dagster knows, oldest first."""
        query = (
            "query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionKeys } } }"
        )
        return list(self.ask(query, key={"path": [feed, asset]})["assetNodeOrError"]["partitionKeys"])

    def _alive(self) -> None:
        told = self._log.read_text("utf-8", "replace")[-3000:]
        assert self._process.poll() is None, f"marketdata up ended with {self._process.returncode}: {told}"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _is_loaded(self) -> bool:
        (entry,) = self.ask(LOADED)["repositoryLocationOrError"]["locationEntries"]
        kind = (entry["locationOrLoadError"] or {}).get("__typename")
        if entry["loadStatus"] == "LOADED" and kind == "PythonError":
            self.client.reload_repository_location(LOCATION)
        return kind == "RepositoryLocation"


def wait_for(
    what: str,
    look: Callable[[], _Found | None],
    seconds: float = SECONDS_TO_WAIT,
    alive: Callable[[], None] | None = None,
) -> _Found:
    """What `look` gives once it gives something; fails after `seconds`, and at once where `alive` does."""
    deadline = time.monotonic() + seconds
    while True:
        if alive is not None:
            alive()
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.2)


def free_port() -> int:
    """A port nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
