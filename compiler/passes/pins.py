"""Whether a plan is pinned: its lock knows everything that the recipe names, and was written for these tools."""

from __future__ import annotations

from dataclasses import replace

from compiler.plan import Plan
from schema.pins import findings


def pins(plan: Plan) -> Plan:
    """The plan with what its lock lacks, as warnings. Without a lock nothing is pinned, and nothing is lacking."""
    if plan.locked is None:
        return plan
    lacks = tuple(findings(plan.file, (plan.instance,), plan.locked, "warning"))
    return replace(plan, pinned=not lacks, diagnostics=(*plan.diagnostics, *lacks))
