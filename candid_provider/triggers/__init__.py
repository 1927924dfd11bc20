"""Triggers that wait for Candid on the triggerer's event loop."""
