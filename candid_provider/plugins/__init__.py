"""Plugins that Airflow loads by itself where this package is installed."""
