"""Addresses of sign-in, projects, their people and their audit trail."""

from django.urls import path

from webapp.accounts import audit_pages, people, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("projects/", views.projects, name="projects"),
    path("<slug:project>/people/", people.people, name="people"),
    path("<slug:project>/people/<int:person>/role/", people.change_role, name="change-role"),
    path("<slug:project>/people/<int:person>/remove/", people.remove, name="remove-member"),
    path("<slug:project>/audit/", audit_pages.audit, name="audit"),
    path("<slug:project>/audit/events.csv", audit_pages.audit_csv, name="audit-csv"),
]
