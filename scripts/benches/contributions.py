"""What each modality gives to a model: exact Shapley values, and the empirical additive projection. CPU time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benches.held import settings
from benches.judged_model import ROWS, TASK, model
from benches.row import Row
from benches.timing import spent
from mmfuse.contribution.contributions import contributions
from mmfuse.run.loader import loader


def rows() -> Iterator[Row]:
    network, about = model(4)

    def asked(n: int, **settings_: Any) -> float:
        batches = loader(settings(256), about, np.arange(n), None)
        return spent(lambda: contributions(network, batches, {"kind": TASK}, rates=(), **settings_))

    yield Row("exact Shapley values, 4 modalities, 2,000 rows", asked(ROWS, emap_rows=0), None, ("<", 10.0), "s")
    yield Row("EMAP, 4 modalities, 500 rows", asked(500, draws=1), None, ("<", 10.0), "s")
