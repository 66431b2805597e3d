"""Addresses of viewer."""

from django.urls import path

from webapp.viewer import image_views, views

app_name = "viewer"
urlpatterns = [
    path("cases/<int:number>/", views.case, name="case"),
    path("cases/<int:number>/viewer.json", views.study_json, name="study"),
    path("cases/<int:number>/layers.json", views.layers_json, name="layers"),
    path("images/<int:image_id>/metadata", image_views.metadata, name="metadata"),
    path("images/<int:image_id>/frames/1", image_views.frame, name="frame"),
    path("images/<int:image_id>/difference/frames/1", image_views.difference_frame, name="difference_frame"),
    path("images/<int:image_id>/difference/rendered.png", image_views.difference_rendered, name="difference_rendered"),
    path("images/<int:image_id>/rendered.png", image_views.rendered, name="rendered"),
]
