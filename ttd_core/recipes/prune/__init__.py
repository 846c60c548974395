"""`ttd prune`: the scores of all shards become a list of the pairs worth training on."""
