"""CLIP-ES (Lin et al., CVPR 2023, arXiv 2212.09506), as TagCLIP uses it: maps of known tags from CLIP's gradients."""
