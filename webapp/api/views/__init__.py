"""Addresses of the API, one module for each app they read."""
