"""ASGI entry."""

import os

from django.core.asgi import get_asgi_application

from webapp.core.garbage import look_less_often

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
application = get_asgi_application()
look_less_often()
