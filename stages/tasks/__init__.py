"""What is asked of a network: numbers or classes."""
