"""The built-in synthetic benchmark: pictures, captions and exact masks."""
