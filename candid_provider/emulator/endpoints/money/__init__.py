"""Payments, refunds, write-offs, invoices and balances."""
