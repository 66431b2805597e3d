"""Addresses of experiments."""

app_name = "experiments"
urlpatterns = []
