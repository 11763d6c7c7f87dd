"""What a training step is made of: splits, memory, computation, exchanges and what they take on a fabric."""
