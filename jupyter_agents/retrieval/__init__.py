"""Finding the passages of documents that fit a question: reading, cutting into chunks, searching. Offline by default."""
