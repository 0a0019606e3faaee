"""A server for a model, asked once before it is trusted.

served: {kind: deploy, model: merged, data: data.validation, max_concurrent: 32, max_model_length: 4096}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Positive, Reference, default
from schema.stage import Product, Stage, Use
from schema.training import EngineArgs, by_name

Port = Annotated[int, Field(ge=1024, le=65535)]
ELSEWHERE = "; vLLM is named by `server: vllm`, or by `backend: vllm`"
Engine = Annotated[EngineArgs, Field(strict=False), by_name(EngineArgs, ("ms-swift",), ELSEWHERE)]


class Deploy(Stage):
    """In a pipeline: the server is started on this machine alone, asked the first row's question, and stopped.

    Hands over `reply.json`. Beside the stage's script stands `STAGE.serve.sh`, which serves until it is stopped.
    """

    kind: Literal["deploy"]
    model: Reference
    """A name in `models`, or a stage that hands over a model. An adapter is merged first."""
    data: Reference
    """`STAGE.SPLIT` whose first row is asked."""
    server: Literal["ms-swift", "vllm"] = "ms-swift"
    """`swift deploy`, or `vllm serve`."""
    backend: Literal["transformers", "vllm"] = "transformers"
    """What computes the answers behind `swift deploy`; a CPU runs transformers."""
    port: Port = 8000
    """Where `STAGE.serve.sh` listens; the check takes a free one."""
    max_concurrent: Positive = 16
    """Requests that are answered at once."""
    max_batched_tokens: Positive | None = None
    """Tokens of one step at most, for vLLM."""
    max_model_length: Positive = 4096
    """Tokens of a question and its answer."""
    gpu_memory: float = Field(0.9, gt=0, le=1)
    """The share of a GPU's memory that vLLM takes."""
    tensor_parallel: Positive = 1
    """GPUs that share a model, for vLLM."""
    max_new_tokens: Positive = 64
    """Tokens of the answer that is asked for."""
    start_timeout: Positive = 600
    """Seconds after which a server that does not answer has failed."""
    engine: Engine = default(EngineArgs)
    """Options of it that the language has no field for."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def on_vllm(self) -> bool:
        """Whether vLLM computes the answers."""
        return self.server == "vllm" or self.backend == "vllm"

    @property
    def gives(self) -> Product:
        return "reply"
