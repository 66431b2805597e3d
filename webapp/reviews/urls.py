"""Addresses of reviews."""

from django.urls import path

from webapp.reviews import breakdown_views, item_views, views

app_name = "reviews"
urlpatterns = [
    path("review/", views.queue_list, name="list"),
    path("review/new/", views.new, name="new"),
    path("review/answers/", breakdown_views.answers, name="answers"),
    path("review/experiments/<int:number>/", breakdown_views.experiment, name="experiment"),
    path("review/<int:number>/", breakdown_views.queue, name="queue"),
    path("review/<int:number>/answers.csv", breakdown_views.export_csv, name="csv"),
    path("review/<int:number>/<int:position>/", item_views.item, name="item"),
    path("review/<int:number>/<int:position>/layers.json", item_views.layers_json, name="layers"),
    path("review/<int:number>/<int:position>/reveal/", item_views.reveal, name="reveal"),
    path("review/<int:number>/<int:position>/time/", item_views.spent, name="time"),
    path("review/<int:number>/<int:position>/answer/", item_views.answer, name="answer"),
]
