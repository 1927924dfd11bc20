"""What one emulator holds: the seeded records, and what was written."""
