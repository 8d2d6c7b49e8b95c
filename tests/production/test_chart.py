"""The Helm chart, judged by helm itself and what it makes of it by Kubernetes' own schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.settings import GateSettings, Settings
from healthtrust.deploy import helm
from healthtrust.deploy.plan import Plan, plan
from network.binaries import built
from tests.production.linters import judged, production, written

pytestmark = pytest.mark.helm
KUBERNETES = ("1.27.0", "1.34.0")


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    gates = [GateSettings(code=c, name=c, public_url=f"https://{c}.example", port=p) for c, p in (("H-1", 9001), ("H-2", 9002))]
    settings: Settings = production(tmp_path, gates=gates)
    return plan(settings, "node-1")


@pytest.fixture
def chart(planned: Plan, tmp_path: Path) -> Path:
    return written(helm.render(planned), tmp_path / "chart")


def rendered(chart: Path, kubernetes: str = KUBERNETES[0]) -> list[dict[str, Any]]:
    text = judged(built("helm"), "template", "ht", chart, "--kube-version", kubernetes)
    return [document for document in yaml.safe_load_all(text) if document]


def test_helm_finds_nothing(chart: Path) -> None:
    judged(built("helm"), "lint", "--strict", chart)


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_kubernetes_takes_every_object(chart: Path, kubernetes: str) -> None:
    objects = rendered(chart, kubernetes)
    for made in objects:
        kubernetes_validate.validate(made, kubernetes.rpartition(".")[0], strict=True)
    kinds = [made["kind"] for made in objects]
    assert (kinds.count("Deployment"), kinds.count("PodDisruptionBudget"), kinds.count("NetworkPolicy")) == (5, 3, 1)


def test_an_error_in_the_chart_would_be_seen(chart: Path) -> None:
    template = chart / "templates" / "processes.yaml"
    template.write_text(template.read_text().replace("readOnlyRootFilesystem", "readOnlyFilesystem"))
    deployment = next(made for made in rendered(chart) if made["kind"] == "Deployment")
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyFilesystem"):
        kubernetes_validate.validate(deployment, "1.27", strict=True)


def test_no_pod_runs_as_root_writes_outside_its_home_or_speaks_to_the_cluster(chart: Path) -> None:
    for made in rendered(chart):
        if made["kind"] == "Deployment":
            pod = made["spec"]["template"]["spec"]
            assert (pod["automountServiceAccountToken"], pod["securityContext"]["runAsNonRoot"]) == (False, True)
            confined = pod["containers"][0]["securityContext"]
            assert (confined["readOnlyRootFilesystem"], confined["allowPrivilegeEscalation"]) == (True, False)
            assert confined["capabilities"] == {"drop": ["ALL"]}


def test_whoever_listens_has_probes(chart: Path, planned: Plan) -> None:
    pods = {
        d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]
        for d in rendered(chart)
        if d["kind"] == "Deployment"
    }
    assert pods["ht-gateway"]["readinessProbe"]["httpGet"]["path"] == "/api/v1/ready"
    assert pods["ht-gate-h-1"]["readinessProbe"]["httpGet"]["path"] == "/gate/v1/health"
    assert "readinessProbe" not in pods["ht-worker"]
    allowed = next(d for d in rendered(chart) if d["kind"] == "NetworkPolicy")["spec"]["ingress"][0]["ports"]
    assert {p["port"] for p in allowed} == {p.port for p in planned.processes if p.port}
