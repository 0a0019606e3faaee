"""Batch arithmetic: the global batch is what the recipe states, accumulation follows from it and the hardware."""

from __future__ import annotations

from dataclasses import replace

from compiler.plan import BatchArithmetic, Plan, StagePlan
from schema.hardware import Hardware
from schema.stages import Distill
from schema.training import TrainingStage


def batch(plan: Plan) -> Plan:
    """Every training stage with its arithmetic. That it comes out even is a rule of the recipe."""
    hardware = plan.instance.recipe.hardware
    return replace(plan, stages=tuple(_with_batch(stage, hardware) for stage in plan.stages))


def _with_batch(planned: StagePlan, hardware: Hardware) -> StagePlan:
    if isinstance(planned.stage, Distill):
        micro = planned.stage.micro_batch(hardware.world)
        return replace(
            planned,
            batch=BatchArithmetic(planned.stage.global_batch, micro, hardware.processes, hardware.nodes),
        )
    if not isinstance(planned.stage, TrainingStage):
        return planned
    stated = planned.stage.batch
    return replace(planned, batch=BatchArithmetic(stated.global_, stated.micro, hardware.processes, hardware.nodes))
