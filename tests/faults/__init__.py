"""Faults of real machines, tried on the program: how often it survives them, and what is lost."""
