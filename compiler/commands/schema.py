"""recipe schema > schema/recipe-v1.schema.json"""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of the language, for editors."""
    from schema.jsonschema import text  # imports all models' documentation

    print(text(), end="")
