"""Scores of what is not one class: any number of classes, several people's answers, and embeddings."""
