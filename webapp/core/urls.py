"""Addresses outside any project."""

from django.urls import path

from webapp.core import views

app_name = "core"
urlpatterns = [
    path("", views.front_door, name="front-door"),
    path("health/", views.health, name="health"),
    path("style-guide/", views.style_guide, name="style-guide"),
]
