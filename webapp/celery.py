"""The Celery application: it carries job numbers, nothing else (design, section 4).

Messages are acknowledged early: the job row and its lease, not the broker, decide who works, so that a 10-hour
job is never started again because a message was redelivered.
"""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from django.conf import settings

from webapp.jobs import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("cemlab", set_as_current=True)
if settings.CELERY_BROKER_URL:
    _url = settings.CELERY_BROKER_URL
    _options = {"visibility_timeout": 48 * 3600}
    if _url.startswith(("redis", "rediss", "unix")):
        _options |= {
            "unacked_restore_interval": 30,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 3,
            "socket_timeout": 30,
            "socket_keepalive": True,
        }
else:
    _url = f"{broker.SCHEME}://localhost"  # a name kombu asks for; no host is contacted
    _options = broker.options(Path(settings.DATA_ROOT) / "broker")

app.conf.update(
    broker_url=_url,
    broker_transport_options=_options,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=3,
    task_default_queue="cpu",
    task_ignore_result=True,
    task_acks_late=False,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    imports=["webapp.jobs.tasks"],
    timezone="UTC",
)
