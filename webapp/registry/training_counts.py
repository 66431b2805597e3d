"""What a model was trained on: real and synthetic views, by class."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from webapp.datasets.models import Split, VersionAnnotation
from webapp.experiments.models import ArmSyntheticView, Run


def count(run: Run) -> dict[str, Any]:
    """Counts of the training split of the run's version and of the arm's synthetic views.

    Returns
    -------
    dict
        ``real``: views, patients, and lesions outlined on views by class; ``synthetic``: views, and views and cases
        by class. Classes are words such as ``"malignant cluster"``.
    """
    version = run.arm.experiment.version
    members = version.version_views.filter(split=Split.TRAIN)
    lesions = (
        VersionAnnotation.objects.filter(version_view__version=version, version_view__split=Split.TRAIN)
        .order_by("lesion_type", "malignancy")
        .values_list("lesion_type", "malignancy")
        .annotate(outlines=Count("pk"))
    )
    synthetic = ArmSyntheticView.objects.filter(arm=run.arm)
    classes = (
        synthetic.order_by("synthetic_view__malignancy")
        .values_list("synthetic_view__malignancy")
        .annotate(views=Count("pk"), cases=Count("synthetic_view__case_number", distinct=True))
    )
    return {
        "real": {
            "views": members.count(),
            "patients": members.values("patient").distinct().count(),
            "lesions": {f"{malignancy} {lesion_type}": number for lesion_type, malignancy, number in lesions},
        },
        "synthetic": {
            "views": synthetic.count(),
            "source": run.arm.synthetic_source,
            "lesions": {
                f"{malignancy} cluster": {"views": views, "cases": cases} for malignancy, views, cases in classes
            },
        },
    }
