"""Annotated data sets, read where and how people have them on disk."""
