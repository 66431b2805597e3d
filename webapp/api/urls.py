"""Addresses of the API. `arm` is the position of an arm in its design, from 0."""

from django.urls import include, path

from webapp.api.views import (
    cases,
    datasets,
    experiments,
    jobs,
    projects,
    reference,
    registry,
    results,
    reviews,
    simulations,
)

app_name = "api"

EXPERIMENT = "experiments/<int:number>/"
RUN = f"{EXPERIMENT}runs/<int:arm>-<int:seed>/"
SIMULATION = "simulations/<int:number>/"
REVIEW = "reviews/<int:number>/"
ITEM = f"{REVIEW}items/<int:position>/"
VERSION = "datasets/<slug:slug>/versions/<int:number>/"

in_project = [
    path("", projects.ProjectDetail.as_view(), name="project"),
    path("cases/", cases.CaseList.as_view(), name="cases"),
    path("cases/<int:number>/", cases.CaseDetail.as_view(), name="case"),
    path("lesions/", cases.LesionList.as_view(), name="lesions"),
    path("lesions/<int:pk>/", cases.LesionDetail.as_view(), name="lesion"),
    path("datasets/", datasets.DatasetList.as_view(), name="datasets"),
    path("datasets/<slug:slug>/", datasets.DatasetDetail.as_view(), name="dataset"),
    path(VERSION, datasets.VersionDetail.as_view(), name="version"),
    path(f"{VERSION}splits/", datasets.SplitList.as_view(), name="splits"),
    path("experiments/", experiments.ExperimentList.as_view(), name="experiments"),
    path(EXPERIMENT, experiments.ExperimentDetail.as_view(), name="experiment"),
    path(f"{EXPERIMENT}launch/", experiments.ExperimentLaunch.as_view(), name="launch"),
    path(f"{EXPERIMENT}arms/", experiments.ArmList.as_view(), name="arms"),
    path(f"{EXPERIMENT}runs/", experiments.RunList.as_view(), name="runs"),
    path(RUN, experiments.RunDetail.as_view(), name="run"),
    path(f"{RUN}predictions/", experiments.PredictionList.as_view(), name="predictions"),
    path(f"{EXPERIMENT}results/", results.ExperimentResults.as_view(), name="results"),
    path(f"{EXPERIMENT}results/<slug:panel>/", results.ResultPanel.as_view(), name="result-panel"),
    path(f"{EXPERIMENT}reasons/", reviews.ExperimentReasons.as_view(), name="experiment-reasons"),
    path("reviews/", reviews.ReviewList.as_view(), name="reviews"),
    path(REVIEW, reviews.ReviewDetail.as_view(), name="review"),
    path(f"{REVIEW}items/", reviews.ReviewItemList.as_view(), name="review-items"),
    path(ITEM, reviews.ReviewItemDetail.as_view(), name="review-item"),
    path(f"{ITEM}reveal/", reviews.ReviewReveal.as_view(), name="review-reveal"),
    path(f"{ITEM}answer/", reviews.ReviewAnswer.as_view(), name="review-answer"),
    path(f"{REVIEW}answers/", reviews.ReviewAnswerList.as_view(), name="review-answers"),
    path(f"{REVIEW}reasons/", reviews.ReviewReasons.as_view(), name="review-reasons"),
    path("simulations/", simulations.SimulationList.as_view(), name="simulations"),
    path(SIMULATION, simulations.SimulationDetail.as_view(), name="simulation"),
    path(f"{SIMULATION}views/", simulations.SyntheticViewList.as_view(), name="synthetic-views"),
    path(f"{SIMULATION}views/<int:synthetic>/", simulations.SyntheticViewDetail.as_view(), name="synthetic-view"),
    path("models/", registry.ModelList.as_view(), name="models"),
    path("models/<int:number>/", registry.ModelDetail.as_view(), name="model"),
    path("applications/", registry.ApplicationList.as_view(), name="applications"),
    path("applications/<int:number>/", registry.ApplicationDetail.as_view(), name="application"),
    path("jobs/", jobs.JobList.as_view(), name="jobs"),
    path("jobs/<int:number>/", jobs.JobDetail.as_view(), name="job"),
]

urlpatterns = [
    path("v1/projects/", projects.ProjectList.as_view(), name="projects"),
    path("v1/projects/<slug:project>/", include(in_project)),
    path("schema/", reference.Schema.as_view(), name="schema"),
    path("docs/", reference.reference, name="docs"),
]
