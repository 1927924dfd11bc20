"""What goes wrong on demand, and the log of what was received."""
