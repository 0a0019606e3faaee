"""Backends: how a stage is launched on an engine. Each states its differences as tables."""
