"""What lies on disk and how it gets there: folder layouts, classification files, labels, downloads."""
