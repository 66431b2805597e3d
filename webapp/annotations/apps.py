from django.apps import AppConfig


class AnnotationsConfig(AppConfig):
    name = "webapp.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Take the lesions that come with imported images, and show them on the pages of the cases app."""
        from webapp.annotations.case_list import LESION_FACET, MALIGNANCY_FACET, lesions_markup
        from webapp.annotations.services import record_imported
        from webapp.cases.facets import exam_facets
        from webapp.cases.importing.lesions import lesion_recorders
        from webapp.cases.rows import exam_markup

        lesion_recorders.register("annotations", record_imported)
        exam_facets.register("lesion", LESION_FACET)
        exam_facets.register("malignancy", MALIGNANCY_FACET)
        exam_markup.register("lesions", lesions_markup)
