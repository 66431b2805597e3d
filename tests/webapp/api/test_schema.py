"""The schema is valid, complete and true; the reference page is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from tests.webapp import records
from tests.webapp.test_access import names
from webapp.api import urls

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> Client:
    client = Client()
    client.force_login(records.make_member(records.make_project(), "observer"))
    return client


def test_the_schema_is_valid_and_has_no_warning(tmp_path: Path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    schema = yaml.safe_load((tmp_path / "schema.yml").read_text())
    operations = [method for methods in schema["paths"].values() for method in methods.values()]
    described = set(names(urls.urlpatterns)) - {"schema", "docs"}
    assert len(schema["paths"]) == len(described)
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and len(operation["tags"]) == 1 for operation in operations)
    assert {"personalToken": []} in operations[0]["security"]


def test_types_are_what_is_answered(reader: Client) -> None:
    schema = yaml.safe_load(reader.get("/api/schema/").content)
    parts = schema["components"]["schemas"]
    assert parts["Outline"]["properties"]["polygons"]["items"]["items"]["items"]["type"] == "number"
    assert parts["Interval"]["properties"]["value"]["nullable"] is True
    assert parts["Prediction"]["properties"]["malignancy"]["type"] == "number"
    assert set(parts["JobStateEnum"]["enum"]) == {"waiting", "queued", "running", "done", "failed", "cancelled"}
    freeze = schema["paths"]["/api/v1/projects/{project}/experiments/"]["post"]
    assert freeze["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/Design")
    launch = schema["paths"]["/api/v1/projects/{project}/experiments/{number}/launch/"]["post"]
    assert "requestBody" not in launch and set(launch["responses"]) == {"200", "400", "403", "409"}


def test_the_reference_page_has_every_operation_and_needs_no_script(reader: Client) -> None:
    schema = yaml.safe_load(reader.get("/api/schema/").content)
    response = reader.get("/api/docs/")
    page = response.content.decode()
    for path, methods in schema["paths"].items():
        assert path in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
    assert "rows[].sensitivity.value" in page and "arms[].ratio_benign" in page
    assert "'unsafe-inline'" not in response["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    assert "<style" not in page and "style=" not in page
