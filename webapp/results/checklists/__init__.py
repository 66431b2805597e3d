"""Reporting checklists: what the records answer by themselves, and what the authors have to write."""
