"""Encounters, their claims, and what belongs to them."""
