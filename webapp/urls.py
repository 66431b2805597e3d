"""All addresses. Each app's patterns carry `<slug:project>/…` themselves; the catch-all project slugs come last."""

from django.urls import include, path

handler400 = "webapp.core.error_pages.bad_request"
handler403 = "webapp.core.error_pages.forbidden"
handler404 = "webapp.core.error_pages.not_found"
handler500 = "webapp.core.error_pages.server_error"

urlpatterns = [
    path("", include("webapp.core.urls")),
    path("", include("webapp.accounts.urls")),
    path("api/", include("webapp.api.urls")),
    path("<slug:project>/", include("webapp.jobs.urls")),
    path("<slug:project>/", include("webapp.datasets.urls")),
    path("<slug:project>/", include("webapp.simulations.urls")),
    path("<slug:project>/", include("webapp.experiments.urls")),
    path("<slug:project>/", include("webapp.registry.urls")),
    path("<slug:project>/", include("webapp.results.urls")),
    path("<slug:project>/", include("webapp.viewer.urls")),
    path("<slug:project>/", include("webapp.reviews.urls")),
    path("<slug:project>/", include("webapp.cases.urls")),
]
