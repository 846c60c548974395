"""Pictures for people: overlays, heat maps and sheets. Pillow and NumPy only."""
