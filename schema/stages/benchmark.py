"""How fast a model answers, and what memory it takes.

speed: {kind: benchmark, model: exported, data: data.validation, batch_sizes: [1, 8, 32]}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Positive, Reference
from schema.stage import Product, Stage, Use


class Benchmark(Stage):
    """Hands over `metrics.json`, `throughput.csv` and `latency.csv`: of this machine and this hour, so nothing is computed
    from them."""

    kind: Literal["benchmark"]
    model: Reference
    """A name in `models`, or a stage that hands over a model or an export."""
    data: Reference
    """`STAGE.SPLIT` whose rows are answered, again and again."""
    batch_sizes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 8, 32)
    """Examples that are asked at once, one measurement for each."""
    warmup: int = Field(3, ge=0)
    """Batches before the clock starts."""
    repeats: Positive = 20
    """Batches that are timed, of each size."""
    max_new_tokens: Positive = 32
    """Tokens of an answer, where the model writes text: exactly so many, or the times could not be compared."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "export")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "timings"
