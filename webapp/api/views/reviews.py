"""Reviews: queues, items under the same blinding as the pages, answers, reasons."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.api.base import ProjectView
from webapp.api.filters import AnswerFilter
from webapp.core.errors import UserError
from webapp.experiments.models import Run
from webapp.experiments.selectors import runs_of
from webapp.reviews import breakdown, selectors, services
from webapp.reviews.models import Answer, ReviewItem, ReviewQueue
from webapp.reviews.serializers import (
    KindQuerySerializer,
    NewAnswerSerializer,
    NewReviewSerializer,
    ReasonsQuerySerializer,
    ReasonsSerializer,
    ReviewAnswerSerializer,
    ReviewDetailSerializer,
    ReviewItemSerializer,
    ReviewSerializer,
    StretchSerializer,
)

LOCKED = OpenApiResponse(description="Runs of the experiment have not ended: the test sets are locked.")
REFUSED = OpenApiResponse(description="Your role does not review.")


class _Reviews(ProjectView[Any]):
    def opened(self, queues: QuerySet[ReviewQueue]) -> QuerySet[ReviewQueue]:
        """The queues, after asking the lock and counting the look that their contents are."""
        services.count_looks(actor=self.person, queues=queues)
        return queues

    def queue(self) -> ReviewQueue:
        """The queue of the address."""
        found = selectors.queues_of(self.person, self.project).filter(number=self.kwargs["number"])
        return get_object_or_404(self.opened(found))

    def item(self) -> ReviewItem:
        """The item of the address."""
        return selectors.item_or_404(self.queue(), self.kwargs["position"])

    def facts(self, item: ReviewItem) -> dict[str, Any]:
        """The item as the person may know it."""
        found = selectors.item_facts([item], self.person, self.project)[0]
        return dict(ReviewItemSerializer(found).data)


@extend_schema_view(
    get=extend_schema(tags=["reviews"], summary="Review queues, newest first"),
    post=extend_schema(
        tags=["reviews"],
        summary="Make a review queue",
        request=NewReviewSerializer,
        responses={
            201: ReviewDetailSerializer,
            200: OpenApiResponse(ReviewDetailSerializer, description="It was made before: the queue there is."),
            400: OpenApiResponse(description="There is nothing to review, or no such run: `detail` says why."),
            403: OpenApiResponse(description="Your role makes no queues."),
            409: LOCKED,
        },
    ),
)
class ReviewList(_Reviews, ListAPIView[ReviewQueue]):
    """What runs missed, found wrongly, gained or lost, in queues that are fixed when they are made."""

    model = ReviewQueue
    serializer_class = ReviewSerializer

    def visible(self) -> QuerySet[ReviewQueue]:
        return selectors.queues_of(self.person, self.project)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Own progress of the whole page at once."""
        page = self.paginate_queryset(self.get_queryset()) or []
        progress = selectors.progress_by_reader(page, self.person.pk)
        context = {"progress": {queue: readers[self.person.pk] for queue, readers in progress.items()}}
        return self.get_paginated_response(ReviewSerializer(page, many=True, context=context).data)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a queue, or give the one of the same definition; counts as a look at the test set."""
        services.require_creator(self.person, self.project)
        asked = NewReviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        against = None
        if given["kind"] in {ReviewQueue.Kind.GAINED, ReviewQueue.Kind.LOST}:
            against = self._run(given["experiment"], given["against_arm"], given["against_seed"], "against_arm")
        run = self._run(given["experiment"], given["arm"], given["seed"], "arm")
        code: int = status.HTTP_201_CREATED
        try:
            found = services.create_queue(
                actor=self.person,
                project=self.project,
                run=run,
                test_set=given["test_set"],
                kind=given["kind"],
                group=given["group"],
                score_above=given["score_above"],
                against=against,
            )
        except services.QueueExists as error:
            code, found = status.HTTP_200_OK, error.queue
        address = reverse("api:review", args=[self.project.slug, found.number])
        body = _detail(selectors.queue_or_404(self.person, self.project, found.number), self.person)
        return Response(body, status=code, headers={"Location": address})

    def _run(self, experiment: int, arm: int | None, seed: int | None, field: str) -> Run:
        of_experiment = runs_of(self.person, self.project).filter(arm__experiment__number=experiment)
        run = None
        if arm is not None and seed is not None:
            run = of_experiment.filter(arm__position=arm, seed=seed).first()
        if run is None:
            raise UserError("This project has no such run.", field=field)
        return run


def _detail(queue: ReviewQueue, person: Any) -> dict[str, Any]:
    context = {
        "progress": {queue.pk: selectors.progress(queue, person)},
        "readers": selectors.readers(queue),
    }
    return dict(ReviewDetailSerializer(queue, context=context).data)


class ReviewDetail(_Reviews):
    """A queue with how far each reader is."""

    model = ReviewQueue
    serializer_class = ReviewDetailSerializer

    @extend_schema(
        tags=["reviews"],
        summary="One review queue with its readers",
        responses={200: ReviewDetailSerializer, 409: LOCKED},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Counts a look at the test set for a person who had none."""
        return Response(_detail(self.queue(), self.person))


@extend_schema(
    tags=["reviews"],
    summary="Items of a review queue",
    responses={200: ReviewItemSerializer(many=True), 409: LOCKED},
)
class ReviewItemList(_Reviews, ListAPIView[ReviewItem]):
    """Items in their order. Of one that is not revealed, a reader learns the case and nothing else."""

    model = ReviewItem
    serializer_class = ReviewItemSerializer

    def visible(self) -> QuerySet[ReviewItem]:
        items = ReviewItem.objects.filter(queue=self.queue()).order_by("position")
        return items.select_related("view__exam", "lesion")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What the person may know of the whole page at once."""
        page = self.paginate_queryset(self.get_queryset()) or []
        facts: Any = selectors.item_facts(page, self.person, self.project)
        return self.get_paginated_response(ReviewItemSerializer(facts, many=True).data)


class ReviewItemDetail(_Reviews):
    """An item as the person may know it."""

    model = ReviewItem
    serializer_class = ReviewItemSerializer

    @extend_schema(tags=["reviews"], summary="One item", responses={200: ReviewItemSerializer, 409: LOCKED})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read."""
        return Response(self.facts(self.item()))


class ReviewReveal(_Reviews):
    """Truth and findings of an item, shown to the reader from here on."""

    model = ReviewItem
    serializer_class = ReviewItemSerializer

    @extend_schema(
        tags=["reviews"],
        summary="Reveal an item",
        request=StretchSerializer,
        responses={200: ReviewItemSerializer, 403: REFUSED, 409: LOCKED},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The first reveal is what is kept."""
        item = self.item()
        asked = StretchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.reveal(actor=self.person, item=item, **asked.validated_data)
        return Response(self.facts(item))


class ReviewAnswer(_Reviews):
    """The own answer to an item: a change is a further revision."""

    model = Answer
    serializer_class = ReviewAnswerSerializer

    @extend_schema(
        tags=["reviews"],
        summary="Answer, skip or take back",
        request=NewAnswerSerializer,
        responses={
            201: ReviewAnswerSerializer,
            400: OpenApiResponse(description="Not revealed yet, no reason, or nothing to take back."),
            403: REFUSED,
            409: LOCKED,
        },
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a revision; the same answer again adds none."""
        item = self.item()
        asked = NewAnswerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = services.answer(actor=self.person, item=item, **asked.validated_data)
        return Response(ReviewAnswerSerializer(made).data, status=status.HTTP_201_CREATED)


@extend_schema(
    tags=["reviews"],
    summary="Answers of a review queue",
    responses={200: ReviewAnswerSerializer(many=True), 409: LOCKED},
)
class ReviewAnswerList(_Reviews, ListAPIView[Answer]):
    """Every revision the person may read, by item, reader and revision.

    A reader reads the own ones, and those of others once the own queue is finished. Who does not review reads all.
    """

    model = Answer
    serializer_class = ReviewAnswerSerializer
    filterset_class = AnswerFilter

    def visible(self) -> QuerySet[Answer]:
        queues = ReviewQueue.objects.filter(pk=self.queue().pk)
        found = selectors.readable_answers(self.person, self.project, queues)
        return found.order_by("item__position", "reader__username", "revision")


class _Reasons(_Reviews):
    model = ReviewQueue
    serializer_class = ReasonsSerializer

    def reasons(self, queues: QuerySet[ReviewQueue], asked: dict[str, Any], where: dict[str, Any]) -> Response:
        """Count the reasons of one reader over the queues."""
        counted = ReviewQueue.objects.filter(pk__in=queues.order_by().values("pk"))
        chosen = breakdown.chosen(self.person, self.project, counted, None)
        if asked["reader"]:
            named = next((one for one, _ in chosen.readers if one.username == asked["reader"]), None)
            if named is None:
                raise Http404("No readable answer of this reader.")
            chosen = breakdown.chosen(self.person, self.project, counted, named.pk)
        address = breakdown.addresses(self.project, chosen, where)
        body = {
            "by": asked["by"],
            "kind": queues[0].kind,
            "reader": chosen.reader.username if chosen.reader else None,
            "n": len(chosen.answers),
            "resamples": breakdown.RESAMPLES,
            "bootstrap_seed": breakdown.SEED,
            "blocks": breakdown.tables(chosen.answers, asked["by"], address),
            "readers": [{"reader": one.username, "answers": number} for one, number in chosen.readers],
        }
        return Response(ReasonsSerializer(body).data)


class ReviewReasons(_Reasons):
    """Why lesions of a queue were missed or findings are false."""

    @extend_schema(
        tags=["reviews"],
        summary="Reasons in a review queue",
        parameters=[ReasonsQuerySerializer],
        responses={200: ReasonsSerializer, 409: LOCKED},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """By site or arm, for one reader."""
        asked = ReasonsQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        queue = self.queue()
        found = selectors.queues_of(self.person, self.project).filter(pk=queue.pk)
        return self.reasons(found, asked.validated_data, {"queue": queue.number})


class ExperimentReasons(_Reasons):
    """Reasons over all queues of one kind of an experiment: a lesion view counts once, with the newest answer."""

    @extend_schema(
        tags=["reviews"],
        summary="Reasons over an experiment",
        parameters=[KindQuerySerializer],
        responses={200: ReasonsSerializer, 409: LOCKED},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """By site or arm, for one reader."""
        asked = KindQuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        number, kind = kwargs["number"], asked.validated_data["kind"]
        found = selectors.queues_of(self.person, self.project).filter(run__arm__experiment__number=number, kind=kind)
        if not found.exists():
            raise Http404("No such queue was made of this experiment.")
        return self.reasons(self.opened(found), asked.validated_data, {"experiment": number, "kind": kind})
