"""Files in and out: pictures, lists, label maps."""
