"""The verbs that need more than the compiler: run, scores, fetch. Heavy imports happen inside their functions."""
