"""`ttd evaluate`: one row per sample, and every figure from the rows."""
