"""What runs code: one boundary, `Executor`, and its implementations."""
