"""TagCLIP, local to global (Lin et al., AAAI 2024, arXiv 2312.12828): tags of a picture for any list of classes."""
