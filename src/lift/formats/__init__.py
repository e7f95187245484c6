"""What is read of a file, by its format."""
