from django.apps import AppConfig


class AnnotationsConfig(AppConfig):
    name = "webapp.annotations"
    label = "annotations"

    def ready(self) -> None:
        """Take the lesions that come with imported images."""
        from webapp.annotations.services import record_imported
        from webapp.cases.importing.lesions import lesion_recorders

        lesion_recorders.register("annotations", record_imported)
