"""Rename a recipe with everything that is called after it, so that nothing runs again: what `recipe mv` does."""
