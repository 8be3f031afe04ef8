"""The error every room raises when the user's input cannot be used."""


class InputError(ValueError):
    """Bad input from outside: one line saying what, where, and the remedy (the command exits with 2)."""
