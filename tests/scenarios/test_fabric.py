"""The whole story on a real Fabric network, by the one setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from network.fabric.network import FabricNetwork
from tests.support import demo


@pytest.mark.fabric
@pytest.mark.timeout(1500)
def test_the_demo_is_told_on_a_fabric_network_which_ends_with_it(tmp_path: Path) -> None:
    home = demo.tell(tmp_path, {"HEALTHTRUST_LEDGER__KIND": "fabric"})
    founded = json.loads((home / "contracts.json").read_text())
    assert (founded["ledger"], founded["channel"]) == ("fabric", "health")
    network = FabricNetwork(home / "network" / "fabric")
    assert [o.msp for o in network.layout.organisations] == ["Org1MSP", "Org2MSP", "Org3MSP"]
    assert network.gone() == network.parts()
    assert not network.ready.exists()
