"""One module for each library under test: the same tasks, each in that library's own best way."""
