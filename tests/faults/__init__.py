"""What can go wrong on somebody's machine, tried: how often it was survived, and what was lost."""
