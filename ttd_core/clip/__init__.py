"""Backbones: the one door to open_clip and peft."""

from __future__ import annotations

from ttd_core.clip.torchvision_ops import declare_missing_operators

declare_missing_operators()  # here, since every module that imports open_clip lies in this package
