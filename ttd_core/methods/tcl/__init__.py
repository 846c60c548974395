"""TCL, text-grounded contrastive learning (Cha et al., CVPR 2023, arXiv 2212.00785): inference."""
