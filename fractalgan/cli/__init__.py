"""The command line: parser, trainer, resuming, messages, and one module per verb."""
