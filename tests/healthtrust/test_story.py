"""What somebody reads when a step of the demo does not hold."""

from __future__ import annotations

import pytest

from core.errors import HealthTrustError
from healthtrust.demo.story import _step


def test_a_step_that_does_not_hold_is_named_with_where_to_look_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HealthTrustError), _step("病历入库 · records imported"):
        raise HealthTrustError
    said = capsys.readouterr()
    assert "✓" not in said.out
    for words in ("病历入库", "records imported", "HealthTrustError", "test_story.py", "logs", "run the same command again"):
        assert words in said.err
