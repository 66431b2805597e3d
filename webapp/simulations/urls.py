"""Addresses of simulations."""

app_name = "simulations"
urlpatterns = []
