"""Time on an item as a row for each visit, so that a total is over all of them."""

from __future__ import annotations

import uuid
from datetime import datetime

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


def one_visit_for_what_was_measured(apps, schema_editor):
    """Times measured so far were those of a visit from its start: the longest is the visit that is known."""
    longest: dict[tuple[int, int], tuple[float, datetime]] = {}
    for name in ("Reveal", "Answer"):
        for row in apps.get_model("reviews", name).objects.filter(seconds__gt=0).iterator():
            where = (row.item_id, row.reader_id)
            if where not in longest or row.seconds > longest[where][0]:
                longest[where] = (row.seconds, row.time)
    revealed = set(apps.get_model("reviews", "Reveal").objects.values_list("item_id", "reader_id"))
    visit = apps.get_model("reviews", "Visit")
    visit.objects.bulk_create(
        visit(
            item_id=item,
            reader_id=reader,
            key=uuid.uuid4(),
            seconds=seconds,
            revealed=(item, reader) in revealed,
            time=time,
        )
        for (item, reader), (seconds, time) in longest.items()
    )


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Visit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "key",
                    models.UUIDField(help_text="Made by the page, so that a stretch that is sent twice counts once."),
                ),
                ("seconds", models.FloatField(help_text="Measured in the browser.")),
                ("revealed", models.BooleanField(help_text="Whether truth and findings were shown already.")),
                ("time", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="visits", to="reviews.reviewitem"
                    ),
                ),
                (
                    "reader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="review_visits",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("item", "reader", "key"), name="visit_once"),
                    models.CheckConstraint(
                        condition=Q(("seconds__gt", 0), ("seconds__lte", 1800.0)), name="visit_seconds_bounded"
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="reveal", name="reveal_seconds_bounded"),
        migrations.RemoveConstraint(model_name="answer", name="answer_seconds_bounded"),
        migrations.AlterField(
            model_name="reveal",
            name="seconds",
            field=models.FloatField(help_text="On the item before, over all visits."),
        ),
        migrations.AlterField(
            model_name="answer",
            name="seconds",
            field=models.FloatField(help_text="On the item until this revision, over all visits."),
        ),
        migrations.AddConstraint(
            model_name="reveal",
            constraint=models.CheckConstraint(condition=Q(("seconds__gte", 0)), name="reveal_seconds_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.CheckConstraint(
                condition=Q(("revision__gte", 1), ("seconds__gte", 0)), name="answer_seconds_not_negative"
            ),
        ),
        migrations.RunPython(one_visit_for_what_was_measured, migrations.RunPython.noop),
    ]
