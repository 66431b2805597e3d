"""Addresses of cases. The case page itself (``cases/<number>/``) belongs to the viewer."""

from django.urls import path

from webapp.cases.views import cases, home, images, imports

app_name = "cases"
urlpatterns = [
    path("", home.home, name="home"),
    path("search/", cases.search, name="search"),
    path("cases/", cases.case_list, name="list"),
    path("cases/export.csv", cases.export, name="export"),
    path("cases/<int:number>/preview/", cases.preview, name="preview"),
    path("images/<int:image_id>/thumbnail.png", images.thumbnail, name="thumbnail"),
    path("images/<int:image_id>/file", images.file, name="file"),
    path("import/", imports.import_page, name="import"),
    path("import/begin/", imports.begin, name="import-begin"),
    path("import/<int:number>/", imports.report, name="import-report"),
    path("import/<int:number>/pieces/", imports.piece, name="import-piece"),
    path("import/<int:number>/finish/", imports.finish, name="import-finish"),
    path("import/<int:number>/status/", imports.status, name="import-status"),
    path("import/<int:number>/files/<int:file_id>/picture.png", imports.picture, name="import-picture"),
    path("import/<int:number>/files/<int:file_id>/kind/", imports.answer, name="import-answer"),
]
