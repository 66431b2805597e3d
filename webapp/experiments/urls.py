"""Addresses of experiments."""

from django.urls import path

from webapp.experiments import comparison_views, design_views, run_views, views

app_name = "experiments"
RUN = "experiments/<int:number>/runs/<int:arm>-<int:seed>/"
"""`arm` is the position of the arm in the design, from 0."""
urlpatterns = [
    path("experiments/", views.experiment_list, name="list"),
    path("experiments/new/", design_views.new, name="new"),
    path("experiments/new/consequences/", design_views.panel, name="consequences"),
    path("experiments/compare/", comparison_views.compare, name="compare"),
    path("experiments/<int:number>/", views.experiment, name="experiment"),
    path("experiments/<int:number>/launch/", design_views.launch, name="launch"),
    path("experiments/<int:number>/runs/", views.runs, name="runs"),
    path(RUN, run_views.run, name="run"),
    path(f"{RUN}status/", run_views.status, name="status"),
    path(f"{RUN}samples/", run_views.samples, name="samples"),
    path(f"{RUN}curves.json", run_views.curves, name="curves"),
    path(f"{RUN}cancel/", run_views.cancel, name="cancel"),
    path(f"{RUN}retry/", run_views.retry, name="retry"),
    path(f"{RUN}files/<int:artifact>/", run_views.artifact, name="artifact"),
]
