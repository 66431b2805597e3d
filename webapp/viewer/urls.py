"""Addresses of viewer."""

app_name = "viewer"
urlpatterns = []
