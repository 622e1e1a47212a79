"""The pulsaurora command: one small module a subcommand."""
