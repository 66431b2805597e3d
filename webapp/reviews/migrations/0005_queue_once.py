from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reviews", "0004_repeated_queues")]

    operations = [
        migrations.AddConstraint(
            model_name="reviewqueue",
            constraint=models.UniqueConstraint(
                condition=models.Q(("against__isnull", True), ("repeated", False)),
                fields=("run", "test_set", "kind", "group", "score_above", "protocol_hash", "test_set_digest"),
                name="review_queue_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewqueue",
            constraint=models.UniqueConstraint(
                condition=models.Q(("against__isnull", False), ("repeated", False)),
                fields=(
                    "run",
                    "test_set",
                    "kind",
                    "group",
                    "score_above",
                    "protocol_hash",
                    "test_set_digest",
                    "against",
                ),
                name="review_queue_compared_once",
            ),
        ),
    ]
