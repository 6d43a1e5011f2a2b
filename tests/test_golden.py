"""The first four losses are those written down: by the code itself, when scripts/golden.py was run."""

import json

import golden
import pytest


@pytest.mark.parametrize("experiment", golden.EXPERIMENTS)
def test_the_first_steps_have_not_moved(experiment):
    written = json.loads(golden.FILE.read_text())
    assert golden.first_losses(experiment) == pytest.approx(written[experiment], rel=1e-4)
