"""Addresses of results."""

app_name = "results"
urlpatterns = []
