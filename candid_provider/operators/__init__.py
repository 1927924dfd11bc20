"""Operators that call Candid."""
