"""A project with people of each role, and small ways to make cases."""
