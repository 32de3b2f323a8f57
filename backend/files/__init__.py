"""Files that people upload, collections of them, and questions to both."""
