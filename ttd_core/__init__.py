"""Tags and masks from captioned images, without annotations."""

__version__ = "0.1.0"
