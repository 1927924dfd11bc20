"""Checks of eligibility, discoveries of insurance and other work that takes its time."""
