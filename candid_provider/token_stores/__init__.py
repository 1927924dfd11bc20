"""Token stores that stand on Airflow."""
