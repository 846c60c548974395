"""Backbones: the one door to open_clip and peft."""
