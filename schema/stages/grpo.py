"""Reinforcement learning by comparing a group of sampled answers to the same question (GRPO, arXiv:2402.03300).

train:
  kind: grpo
  model: base
  data: data.train
  generations: 8
  batch: {global: 16, micro: 2}
  rewards: [{kind: exact}, {kind: format, pattern: "<answer>.*</answer>", weight: 0.5}]
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Model, Positive, default
from schema.rewards import Reward
from schema.stage import FileUse
from schema.training import AlignmentStage

NonNegative = Annotated[float, Field(ge=0)]


class Rollout(Model):
    """How answers are sampled. All but `engine` is about vLLM."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """What samples the answers."""
    mode: Literal["colocate", "server"] = "colocate"
    """vLLM shares the GPUs of the training, or is a server that was started apart (`swift rollout`, `trl vllm-serve`)."""
    gpu_memory_utilization: float = Field(0.5, gt=0, le=1)
    """The share of a GPU's memory that a colocated vLLM takes."""
    tensor_parallel: Positive = 1
    """GPUs that share one copy of the model for sampling."""
    enforce_eager: bool = False
    """Do without CUDA graphs, which saves memory."""
    sleep: Literal["0", "1", "2"] = "0"
    """What a colocated vLLM gives up between rollouts: nothing, its cache, or its weights too."""
    offload_model: bool = False
    """Move the trained model to the CPU while answers are sampled."""
    offload_optimizer: bool = False
    """Move the optimizer's state to the CPU while answers are sampled."""
    host: str | None = Field(None, min_length=1, examples=["rollout.internal"])
    """Where the server is."""
    port: int = Field(8000, ge=1, le=65535)
    """Where the server listens."""


class Grpo(AlignmentStage):
    """Trains on questions with solutions (`task: solve`); hands over an adapter or a model."""

    kind: Literal["grpo"]
    rewards: Annotated[tuple[Reward, ...], Field(min_length=1)]
    """What an answer is worth: the weighted sum of these."""
    generations: int = Field(8, ge=2)
    """Answers that are sampled to each question and compared with each other; divides the global batch."""
    max_prompt_length: Positive = 512
    """Tokens of a question, pictures included."""
    too_long: Literal["replace", "left"] = "replace"
    """A question beyond `max_prompt_length` is replaced by another row, or cut at its beginning."""
    max_completion_length: Positive = 512
    """Tokens of an answer."""
    temperature: float = Field(0.9, gt=0)
    """How evenly answers are sampled: below 1 the likely tokens win more often."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the likeliest tokens that have this share of the probability together."""
    top_k: int | None = Field(None, ge=2)
    """Sample from so many of the likeliest tokens; from all when absent. From one alone, all answers of a group are the
    same, and nothing is learned."""
    beta: NonNegative = 0.04
    """The weight of the divergence from the reference model; 0 does without one."""
    epsilon: float = Field(0.2, gt=0)
    """The ratio of probabilities is clipped to 1 ± epsilon."""
    epsilon_high: float | None = Field(None, gt=0)
    """Another limit upwards (DAPO, arXiv:2503.14476)."""
    loss_type: Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"] = "grpo"
    """How tokens are averaged and clipped, by TRL's and ms-swift's names."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Advantages are divided by the deviation of their group, of the batch, or not (Dr. GRPO, arXiv:2503.20783)."""
    iterations: Positive = 1
    """Updates from one set of sampled answers."""
    rollout: Rollout = default(Rollout)

    @property
    def files(self) -> tuple[FileUse, ...]:
        """The files of the project's own rewards, each once."""
        found: dict[str, FileUse] = {}
        for number, reward in enumerate(self.rewards):
            if reward.function_of is not None:
                file, _ = reward.function_of
                role = "reward" if not found else f"reward-{len(found) + 1}"
                found.setdefault(file, FileUse(role, ("rewards", number, reward.kind), file))
        return tuple(found.values())
