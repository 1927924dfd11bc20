"""Candid's resources as Airflow assets."""
