"""TTD: text-tag self-distillation (arXiv 2404.00384): a model's own tag maps teach it to spread a caption over them."""
