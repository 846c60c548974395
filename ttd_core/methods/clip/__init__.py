"""Contrastive training of a two-tower model with dense features from caption-picture pairs."""
