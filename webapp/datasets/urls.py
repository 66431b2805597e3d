"""Addresses of datasets."""

from django.urls import path

from webapp.datasets import views

app_name = "datasets"
urlpatterns = [
    path("datasets/", views.dataset_list, name="list"),
    path("datasets/add/", views.add_cases, name="add"),
    path("datasets/<slug:slug>/<int:number>/", views.version_page, name="version"),
    path("datasets/<slug:slug>/<int:number>/split/", views.draw, name="draw"),
    path("datasets/<slug:slug>/<int:number>/freeze/", views.freeze, name="freeze"),
    path("datasets/<slug:slug>/<int:number>/copy/", views.copy, name="copy"),
]
