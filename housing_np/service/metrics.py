"""The counters of a server, by prometheus-client."""

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one process; `text` shows those of all workers together."""

    type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "housing_np_requests", "Requests by route and by the status of their answer", ["route", "status"], **of
        )
        self.rows = Counter("housing_np_rows", "Rows that were predicted", **of)
        self.outside = Counter(
            "housing_np_rows_outside_range", "Rows outside the range that the model was trained on", **of
        )
        self.refused = Counter("housing_np_rows_refused", "Rows that were bad: each ends its request", **of)
        text = "From a request's head to the end of its answer"
        self.seconds = Histogram("housing_np_request_seconds", text, ["route"], buckets=_SECONDS, **of)

    def text(self) -> bytes:
        """Return all counts in Prometheus' format."""
        registry: Any = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
