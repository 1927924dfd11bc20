"""Candid's API as values and functions: settings, clients, calls, paging and the table of resources."""
