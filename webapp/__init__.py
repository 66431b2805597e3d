"""The Django project: the only place that knows the database, users, files, jobs and pages."""
