"""Does guidance by deep degradation representations improve a blind super-resolution network?"""
