"""Files: the parts of the Files page, and of answers from files."""
