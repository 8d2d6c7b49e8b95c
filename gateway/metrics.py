"""Prometheus figures of one process. Labels are route templates, kinds and states: never an id."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The gateway's figures, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("gateway_requests", "Requests answered", ["method", "route", "status"], registry=self.registry)
        self.seconds = Histogram("gateway_request_seconds", "Time to answer", ["method", "route"], registry=self.registry)
        self.operations = Gauge("gateway_operations", "Writes for the ledger by state", ["state"], registry=self.registry)
        self.head = Gauge("gateway_ledger_height", "Height of the ledger's head as last seen", registry=self.registry)
        self.refused = Counter("gateway_refusals", "Refusals by code", ["code"], registry=self.registry)

    def page(self) -> bytes:
        """Text exposition format."""
        return generate_latest(self.registry)
