"""Files for a host in production: made from the settings alone, judged by the linters of those who read them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import GateSettings, Settings
from healthtrust.deploy import container, helm, systemd
from healthtrust.deploy.plan import DeployError, Plan, plan
from healthtrust.platform import processes
from tests.production.linters import NODE, PASSWORD, judged, production, written


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    return plan(production(tmp_path), "node-1")


def systemd_analyze() -> str:
    """Debian's ``systemd`` has it; in CI that it is missing is a failure, not a reason to skip."""
    found = shutil.which("systemd-analyze")
    if found is None:
        assert os.environ.get("CI") != "true", "CI must judge the units: apt-get install -y systemd"
        pytest.skip("systemd-analyze is not installed (apt-get install -y systemd)")
    return found


def test_systemd_takes_the_units(planned: Plan, tmp_path: Path) -> None:
    folder = written(systemd.render(planned, Path(sys.executable)), tmp_path / "units")
    units = sorted(folder.glob("*.service"))
    assert len(units) == len(processes(planned.settings))
    said = judged(systemd_analyze(), "verify", "--man=no", "--recursive-errors=no", *units, folder / "healthtrust.target")
    assert said.strip() == ""


def test_systemd_calls_every_unit_confined(planned: Plan, tmp_path: Path) -> None:
    folder = written(systemd.render(planned, Path(sys.executable)), tmp_path / "units")
    for unit in folder.glob("*.service"):
        judged(systemd_analyze(), "security", "--offline=true", "--threshold=15", unit)


def test_an_error_in_a_unit_would_be_seen(planned: Plan, tmp_path: Path) -> None:
    files = systemd.render(planned, Path(sys.executable))
    files["healthtrust-gateway.service"] = files["healthtrust-gateway.service"].replace("NoNewPrivileges", "NoMorePrivileges")
    folder = written(files, tmp_path / "units")
    with pytest.raises(AssertionError, match="NoMorePrivileges"):
        judged(systemd_analyze(), "verify", "--man=no", "--recursive-errors=no", folder / "healthtrust-gateway.service")


def test_a_unit_starts_what_the_supervisor_would(planned: Plan) -> None:
    files = systemd.render(planned, Path("/opt/python"))
    for process in processes(planned.settings):
        found = [text for text in files.values() if f"ExecStart=/opt/python -m {' '.join(process.module)}\n" in text]
        assert len(found) == 1
        assert "LoadCredential=HEALTHTRUST_DATABASE:" in found[0]
        assert "ConditionHost=node-1" in found[0]


def test_the_container_files_please_their_linters(planned: Plan, tmp_path: Path) -> None:
    folder = written(container.render(planned), tmp_path / "container")
    judged(NODE / "dockerfile-utils", "lint", folder / "Containerfile")
    style = ("require-quotes-in-ports", "service-keys-order")
    judged(NODE / "dclint", folder / "compose.yaml", "--max-warnings", "0", "--disable-rule", *style)


def test_an_error_in_container_files_would_be_seen(planned: Plan, tmp_path: Path) -> None:
    files = container.render(planned)
    files["Containerfile"] = files["Containerfile"].replace("WORKDIR", "WORKDIRECTORY")
    files["compose.yaml"] = files["compose.yaml"].replace("read_only", "readonly")
    folder = written(files, tmp_path / "container")
    with pytest.raises(AssertionError, match="WORKDIRECTORY"):
        judged(NODE / "dockerfile-utils", "lint", folder / "Containerfile")
    with pytest.raises(AssertionError, match=r"/services/collector.*additional properties"):
        judged(NODE / "dclint", folder / "compose.yaml")


def test_no_container_runs_as_root_or_writes_outside_its_home(planned: Plan) -> None:
    files = container.render(planned)
    assert "\nUSER 10001:10001\n" in files["Containerfile"]
    for name, service in yaml.safe_load(files["compose.yaml"])["services"].items():
        assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "10001:10001"), name
        assert [v.partition(":")[2] for v in service["volumes"]] == [container.HOME]
        assert ("ports" in service) == ("healthcheck" in service)


def test_a_container_has_the_settings_of_the_host(planned: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rendered, read back as a process would: the same settings, but that it listens on all addresses."""
    service = yaml.safe_load(container.render(planned)["compose.yaml"])["services"]["gateway"]
    secrets = written({name: f"{getattr(planned.settings, name[12:].lower())}\n" for name in planned.credentials}, tmp_path / "s")
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    monkeypatch.setenv("HEALTHTRUST_HOME", str(tmp_path))
    wanted = planned.settings.model_dump()
    wanted["gateway"]["host"] = wanted["gates"][0]["host"] = "0.0.0.0"  # noqa: S104
    assert Settings().model_dump() == wanted


def test_chart_values_are_the_settings(planned: Plan) -> None:
    values = yaml.safe_load(helm.render(planned)["values.yaml"])
    gate = values["processes"]["gate-h-1"]
    assert (gate["port"], gate["host"], gate["ready"]) == (9001, "gate.example", "/gate/v1/health")
    assert values["network"]["egressPorts"] == [443, 5432, 6379, 8545]
    assert json.loads(values["settings"]["HEALTHTRUST_GATES"])[0]["inbox"] == "/srv/inbox"


def test_no_rendered_file_holds_a_password(planned: Plan) -> None:
    made = [systemd.render(planned, Path("/opt/python")), container.render(planned), helm.render(planned)]
    assert not [name for files in made for name, text in files.items() if PASSWORD in text]
    assert planned.credentials == ("HEALTHTRUST_DATABASE", "HEALTHTRUST_BROKER")


@pytest.mark.parametrize(
    ("changes", "host", "why"),
    [
        ({"production": False}, "node-1", "for a trial"),
        ({}, "Node_1", "names no host"),
        ({"mirror": {"database": "postgresql://u:p@db/m"}}, "node-1", "mirror.database holds a password"),
        (
            {"gates": [GateSettings(code=c, name=c, public_url="https://g.example") for c in ("A-1", "A.1")]},
            "node-1",
            "differ only in characters",
        ),
    ],
)
def test_what_is_not_for_production_is_refused(tmp_path: Path, changes: dict[str, Any], host: str, why: str) -> None:
    with pytest.raises(DeployError, match=why):
        plan(production(tmp_path, **changes), host)


def test_a_host_runs_only_what_it_is_for(tmp_path: Path) -> None:
    """Gateway and worker are the identity office's; a hospital runs its mirror and its gate."""
    made = plan(production(tmp_path), "node-1", ["mirror", "gate-H-1"])
    assert [p.name for p in made.processes] == ["mirror", "gate-H-1"]
    assert set(yaml.safe_load(container.render(made)["compose.yaml"])["services"]) == {"mirror", "gate-h-1"}
    with pytest.raises(DeployError, match="no process gate-H-2 in these settings; there are: gateway, "):
        plan(production(tmp_path), "node-1", ["gate-H-2"])


def test_an_address_of_the_host_itself_is_refused_in_containers(tmp_path: Path) -> None:
    here = plan(production(tmp_path, ledger={"url": "http://127.0.0.1:8545"}), "node-1")
    assert systemd.render(here, Path("/opt/python"))
    for render in (container.render, helm.render):
        with pytest.raises(DeployError, match="in a container is the container"):
            render(here)
