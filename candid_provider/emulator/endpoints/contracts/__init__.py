"""Contracts, credentialing, fee schedules and payer plan groups."""
