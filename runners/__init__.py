"""What runs: data preparation, engines under supervision, scores."""
