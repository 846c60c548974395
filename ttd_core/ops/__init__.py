"""Tensor operators that know nothing of models or files."""
