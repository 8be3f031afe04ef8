"""ReadResult and writing checkpoints of untrusted origin."""
