"""Patients, coverages, appointments and all else of the pre-encounter service."""
