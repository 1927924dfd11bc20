"""Operators that move records between Candid and object storage."""
