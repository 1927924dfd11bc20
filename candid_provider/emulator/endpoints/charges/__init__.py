"""Charge captures, and the claims that are made of them."""
