"""Random tiny vision-language models with the shape, token ids and processor of the real families."""
