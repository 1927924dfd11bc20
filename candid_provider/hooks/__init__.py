"""The hook that reads a Candid connection."""
