"""The extraction engine."""
