"""Captions, candidate tags, prompts and text embeddings."""
