"""`ttd preprocess`: how well every caption of a training set fits its picture."""
