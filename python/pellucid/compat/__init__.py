"""Programs written for other libraries, with their import line alone changed."""
