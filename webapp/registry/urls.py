"""Addresses of the registry."""

from django.urls import path

from webapp.registry import application_views, views

app_name = "registry"
APPLICATION = "models/applications/<int:number>/"
urlpatterns = [
    path("models/", views.model_list, name="list"),
    path("models/apply/", application_views.apply, name="apply"),
    path("models/applications/", application_views.application_list, name="applications"),
    path(APPLICATION, application_views.application, name="application"),
    path(f"{APPLICATION}status/", application_views.status, name="status"),
    path(f"{APPLICATION}cancel/", application_views.cancel, name="cancel"),
    path(f"{APPLICATION}resume/", application_views.resume, name="resume"),
    path("models/<int:number>/", views.model, name="model"),
    path("models/<int:number>/stage/", views.stage, name="stage"),
    path("models/<int:number>/notes/", views.note, name="note"),
    path("models/<int:number>/weights/", views.download, name="weights"),
]
