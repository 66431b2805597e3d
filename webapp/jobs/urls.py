"""Addresses of jobs."""

from django.urls import path

from webapp.jobs import streams, views

app_name = "jobs"
urlpatterns = [
    path("jobs/", views.job_list, name="list"),
    path("jobs/stream", streams.stream, name="stream"),
    path("jobs/live.json", streams.poll, name="live"),
    path("jobs/<int:number>/", views.detail, name="detail"),
    path("jobs/<int:number>/status/", views.status, name="status"),
    path("jobs/<int:number>/log/", views.log, name="log"),
    path("jobs/<int:number>/cancel/", views.cancel, name="cancel"),
    path("jobs/<int:number>/retry/", views.retry, name="retry"),
]
