"""The organization itself: its providers, sites, users and payers."""
