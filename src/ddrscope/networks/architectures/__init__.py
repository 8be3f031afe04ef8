"""Network architectures that this package defines."""
