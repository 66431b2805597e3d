"""A queue made again before that was refused is marked, so that its readings can stay."""

from __future__ import annotations

from django.db import migrations, models

DEFINITION = (
    "run_id",
    "against_id",
    "test_set",
    "kind",
    "group",
    "score_above",
    "protocol_hash",
    "test_set_digest",
)


def mark_repeated(apps, schema_editor):
    """The first of a definition stands for it."""
    queues = apps.get_model("reviews", "ReviewQueue").objects
    met, repeated = set(), []
    for key, *definition in queues.order_by("project_id", "number").values_list("pk", *DEFINITION):
        if tuple(definition) in met:
            repeated.append(key)
        met.add(tuple(definition))
    queues.filter(pk__in=repeated).update(repeated=True)


class Migration(migrations.Migration):
    dependencies = [("reviews", "0003_reasons_of_false_findings")]

    operations = [
        migrations.AddField(
            model_name="reviewqueue",
            name="repeated",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Of a definition that had a queue before, from when that was possible.",
            ),
        ),
        migrations.RunPython(mark_repeated, migrations.RunPython.noop),
    ]
