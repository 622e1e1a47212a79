"""Files to frames: reading, contrast, the sky map, sun and moon."""
