"""Addresses of simulations."""

from django.urls import path

from webapp.simulations import case_views, design_views, views

VIEW = "simulation/<int:number>/views/<int:synthetic>/"

app_name = "simulations"
urlpatterns = [
    path("simulation/", views.batch_list, name="list"),
    path("simulation/new/", design_views.new, name="new"),
    path("simulation/new/panel/", design_views.panel, name="panel"),
    path("simulation/new/sample/", design_views.try_one, name="try"),
    path("simulation/<int:number>/", views.batch_page, name="batch"),
    path("simulation/<int:number>/status/", views.status, name="status"),
    path("simulation/<int:number>/sample/", design_views.sample, name="sample"),
    path("simulation/<int:number>/cancel/", views.cancel, name="cancel"),
    path("simulation/<int:number>/resume/", views.resume, name="resume"),
    path(VIEW, case_views.record, name="record"),
    path(f"{VIEW}record.json", case_views.record_file, name="record-file"),
    path(f"{VIEW}judge/", case_views.judge, name="judge"),
    path(f"{VIEW}reopen/", case_views.reopen, name="reopen"),
    path(f"{VIEW}again/", case_views.again, name="again"),
    path(f"{VIEW}<slug:which>/<slug:kind>.png", case_views.crop, name="crop"),
]
