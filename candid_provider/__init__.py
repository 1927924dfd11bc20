"""Run Candid Health billing work from Apache Airflow on one shared token."""

# Imports nothing: Airflow imports this package before it is configured.
__version__ = "0.1.0"
