"""Sensors that wait for Candid."""
