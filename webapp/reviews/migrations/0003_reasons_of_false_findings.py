from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0002_visits"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="answer",
            name="answer_reason_where_answered",
        ),
        migrations.AlterField(
            model_name="answer",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_enhancement", "Calcifications without enhancement"),
                    ("subtle", "Subtle, low contrast"),
                    ("dense", "Dense surroundings"),
                    ("edge", "At the edge of the breast or image"),
                    ("small", "Small lesion"),
                    ("artefact", "After biopsy, or artefact"),
                    ("quality", "Poor image quality"),
                    ("annotation", "Annotation doubtful"),
                    ("not_visible", "Not visible in this view"),
                    ("background", "Normal tissue, background enhancement"),
                    ("benign", "Benign lesion"),
                    ("vessel", "Vessel or skin"),
                    ("node", "Lymph node"),
                    ("other", "Other"),
                ],
                max_length=14,
            ),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "reason__in",
                            [
                                "no_enhancement",
                                "subtle",
                                "dense",
                                "edge",
                                "small",
                                "artefact",
                                "quality",
                                "annotation",
                                "not_visible",
                                "background",
                                "benign",
                                "vessel",
                                "node",
                                "other",
                            ],
                        ),
                        ("state", "answered"),
                    ),
                    models.Q(("reason", ""), ("state__in", ["skipped", "withdrawn"])),
                    _connector="OR",
                ),
                name="answer_reason_where_answered",
            ),
        ),
    ]
