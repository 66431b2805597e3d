"""Addresses of results."""

from django.urls import path

from webapp.results import curve_views, failure_views, panel_views, report_views, views

app_name = "results"
urlpatterns = [
    path("results/", views.result_list, name="list"),
    path("results/<int:number>/", views.experiment, name="experiment"),
    path("results/<int:number>/levels/", panel_views.level_page, name="levels"),
    path("results/<int:number>/calibration/", panel_views.calibration_page, name="calibration"),
    path("results/<int:number>/outlines/", panel_views.outline_page, name="outlines"),
    path("results/<int:number>/curves/", curve_views.curve_page, name="curves"),
    path("results/<int:number>/threshold/", curve_views.threshold_cases, name="threshold"),
    path("results/<int:number>/failures/", failure_views.failure_page, name="failures"),
    path("results/<int:number>/report/", report_views.report_page, name="report"),
    path("results/<int:number>/report/make/", report_views.make, name="report-make"),
    path("results/<int:number>/report/<int:report>.pdf", report_views.file, name="report-file"),
    path("results/<int:number>/checklists/", report_views.checklists, name="checklists"),
    path("results/<int:number>/checklists.csv", report_views.checklists_csv, name="checklists-csv"),
    path("results/<int:number>/lesions/", views.cases, name="cases"),
    path("results/<int:number>/export/<slug:table>.csv", views.export_csv, name="csv"),
    path("results/<int:number>/export.json", views.export_json, name="json"),
]
