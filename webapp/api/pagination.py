"""Pages of lists: ``?limit=50&offset=100``."""

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """50 rows unless asked otherwise, never more than 200."""

    default_limit = 50
    max_limit = 200
