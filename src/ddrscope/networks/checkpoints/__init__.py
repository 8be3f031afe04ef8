"""Reading and writing checkpoints. All of them are untrusted input: nothing in a checkpoint is executed."""
