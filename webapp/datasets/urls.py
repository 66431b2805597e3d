"""Addresses of datasets."""

app_name = "datasets"
urlpatterns = []
