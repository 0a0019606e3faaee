"""Scores of what is neither one class nor free text: any number of classes, and embeddings."""
