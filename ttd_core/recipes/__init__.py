"""What each subcommand does, callable from Python."""
