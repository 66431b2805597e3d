"""Addresses of simulations."""

from django.urls import path

from webapp.simulations import views

app_name = "simulations"
urlpatterns = [
    path("simulation/", views.batch_list, name="list"),
    path("simulation/<int:number>/", views.batch_page, name="batch"),
    path("simulation/<int:number>/views/<int:synthetic>/", views.record, name="record"),
    path("simulation/<int:number>/views/<int:synthetic>/judge/", views.judge, name="judge"),
]
