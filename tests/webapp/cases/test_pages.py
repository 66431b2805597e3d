"""The cases pages: who may see them, what their address means, and what they cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.webapp.cases.material import Pairs, run_import
from tests.webapp.records import ROLES, make_exam, make_frozen_version, make_member, make_project
from webapp.accounts.models import Project
from webapp.annotations.services import refresh_classes
from webapp.cases.models import Exam, Image, ImportBatch
from webapp.cases.selectors import exams_of, images_of, views_of
from webapp.cases.state import refresh_exam
from webapp.core.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def client_of(project: Project | None, role: str = "observer") -> Client:
    client = Client()
    client.force_login(make_member(project, role))
    return client


def exam(project: Project, **values: object) -> Exam:
    """An exam whose derived state is what an import would have left."""
    made = make_exam(project, **values)  # type: ignore[arg-type]
    refresh_exam(made)
    refresh_classes(made)
    made.refresh_from_db()
    return made


def numbers(client: Client, project: Project, query: str = "") -> list[int]:
    response = client.get(reverse("cases:list", args=[project.slug]) + query)
    assert response.status_code == 200
    return [int(row["number"]) for row in response.context["rows"]]


def facet(client: Client, project: Project, name: str, query: str = "") -> dict[str, int]:
    response = client.get(reverse("cases:list", args=[project.slug]) + query)
    found = next(one for one in response.context["facets"] if one.name == name)
    return {line.value: line.count for line in found.options}


OPEN_PAGES = ["", "cases/", "cases/export.csv", "search/?q=1", "cases/{exam}/preview/", "images/{image}/thumbnail.png",
              "images/{image}/file"]  # fmt: skip
CURATOR_PAGES = ["import/", "import/{batch}/", "import/{batch}/status/"]


@pytest.fixture
def stocked(project: Project, pairs: Pairs) -> Project:
    """A project with one imported exam."""
    pairs.add()
    run_import("import_pairs", pairs.write(), project=project.slug)
    return project


def address(project: Project, pattern: str) -> str:
    filled = pattern.format(
        exam=Exam.objects.get().number, image=Image.objects.first().pk, batch=ImportBatch.objects.get().number
    )
    return f"/{project.slug}/{filled}"


@pytest.mark.parametrize("pattern", OPEN_PAGES + CURATOR_PAGES)
def test_strangers_find_nothing_and_anonymous_visitors_sign_in(stocked: Project, pattern: str) -> None:
    url = address(stocked, pattern)
    assert client_of(None).get(url).status_code == 404
    anonymous = Client().get(url)
    assert anonymous.status_code == 302 and anonymous.url.startswith(reverse("accounts:sign-in"))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_cases_and_only_curators_import(stocked: Project, role: str) -> None:
    client = client_of(stocked, role)
    for pattern in OPEN_PAGES:
        response = client.get(address(stocked, pattern))
        assert response.status_code in (200, 302)
    expected = 200 if role in ("curator", "admin") else 403
    for pattern in CURATOR_PAGES:
        assert client.get(address(stocked, pattern)).status_code == expected


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "action", ["begin/", "1/pieces/?index=1&name=a&size=1&offset=0", "1/finish/", "1/files/1/kind/"]
)
def test_only_curators_may_post_to_an_import(stocked: Project, role: str, action: str) -> None:
    response = client_of(stocked, role).post(f"/{stocked.slug}/import/{action}", {"site": "A"})
    assert (response.status_code == 403) == (role not in ("curator", "admin"))


def test_images_of_another_project_are_not_found(stocked: Project) -> None:
    other = make_project("other")
    image = Image.objects.first()
    assert image is not None
    client = client_of(other)
    for name in ("cases:thumbnail", "cases:file"):
        assert client.get(reverse(name, args=[other.slug, image.pk])).status_code == 404


def test_selectors_give_outsiders_nothing(stocked: Project) -> None:
    inside, outside = make_member(stocked, "observer"), make_member(None, "")
    assert exams_of(inside, stocked).count() == views_of(inside, stocked).count() == 1
    assert images_of(inside).count() == 2
    assert not exams_of(outside, stocked) and not views_of(outside, stocked) and not images_of(outside)


def test_reading_a_whole_image_is_audited_and_a_thumbnail_is_not(stocked: Project) -> None:
    client = client_of(stocked)
    client.get(address(stocked, "images/{image}/thumbnail.png"))
    assert not AuditEvent.objects.filter(action="cases.read_image").exists()
    response = client.get(address(stocked, "images/{image}/file"))
    assert response.content.startswith(b"\x89PNG")
    event = AuditEvent.objects.get(action="cases.read_image")
    assert event.object_name.startswith("Case 1 R CC") and event.actor_name


def test_a_thumbnail_is_kept_by_the_browser(stocked: Project) -> None:
    client = client_of(stocked)
    first = client.get(address(stocked, "images/{image}/thumbnail.png"))
    assert first["Content-Type"] == "image/png" and "private" in first["Cache-Control"]
    again = client.get(address(stocked, "images/{image}/thumbnail.png"), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_a_lost_file_is_not_found_rather_than_an_error(stocked: Project, files_root: Path) -> None:
    for path in files_root.rglob("*.png"):
        path.unlink()
    client = client_of(stocked)
    assert client.get(address(stocked, "images/{image}/thumbnail.png")).status_code == 404
    assert client.get(address(stocked, "images/{image}/file")).status_code == 404


def test_filters_narrow_and_combine(project: Project) -> None:
    mass = exam(project, site="A", lesions=(("mass", "malignant"),))
    cluster = exam(project, site="B", lesions=(("cluster", "benign"),))
    none = exam(project, site="B", lesions=(), views=(("R", "CC"),))
    client = client_of(project)
    assert numbers(client, project) == [mass.number, cluster.number, none.number]
    assert numbers(client, project, "?site=B") == [cluster.number, none.number]
    assert numbers(client, project, "?site=A&site=B") == [mass.number, cluster.number, none.number]
    assert numbers(client, project, "?lesion=cluster-benign") == [cluster.number]
    assert numbers(client, project, "?lesion=none&site=B") == [none.number]
    assert numbers(client, project, "?malignancy=malignant") == [mass.number]
    assert numbers(client, project, "?images=all") == [mass.number, cluster.number]
    assert numbers(client, project, "?view=RCC&view=LMLO") == [mass.number, cluster.number]
    assert numbers(client, project, "?origin=phantom") == []
    assert numbers(client, project, f"?q={none.patient.pseudonym.lower()}") == [none.number]
    assert numbers(client, project, f"?q={mass.number}") == [mass.number]
    assert numbers(client, project, "?site=Nowhere") == []


def test_counts_say_what_remains_if_chosen(project: Project) -> None:
    exam(project, site="A", lesions=(("mass", "malignant"),))
    exam(project, site="A", lesions=(("mass", "malignant"), ("cluster", "malignant")))
    exam(project, site="B", lesions=(), views=(("R", "CC"),))
    client = client_of(project)
    lesions = facet(client, project, "lesion")
    assert (lesions["mass-malignant"], lesions["cluster-malignant"], lesions["none"]) == (2, 1, 1)
    # the own facet keeps its counts, the others shrink
    assert facet(client, project, "site", "?site=A") == {"A": 2, "B": 1}
    assert facet(client, project, "lesion", "?site=B")["mass-malignant"] == 0
    assert facet(client, project, "view", "?view=LCC")["RCC"] == 2
    assert facet(client, project, "images")["all"] == 2


def test_an_image_without_partner_is_found_by_its_facet(project: Project) -> None:
    whole, broken = exam(project), exam(project)
    broken.views.first().images.filter(kind="recombined").delete()
    refresh_exam(broken)
    client = client_of(project)
    assert numbers(client, project, "?images=partner-missing") == [broken.number]
    assert numbers(client, project, "?images=needs-look") == [broken.number]
    assert numbers(client, project, "?images=complete") == [whole.number]


def test_sorting_both_ways_and_nonsense_is_ignored(project: Project) -> None:
    first, second = exam(project, site="B"), exam(project, site="A")
    client = client_of(project)
    assert numbers(client, project, "?sort=site") == [second.number, first.number]
    assert numbers(client, project, "?sort=-case") == [second.number, first.number]
    for nonsense in ("?sort=--case", "?sort=password", "?page=999", "?page=x", "?import=x", "?q=%00", "?kind=x"):
        assert numbers(client, project, nonsense) in ([first.number, second.number], [])


def test_fifty_cases_a_page_and_the_count_is_true(project: Project) -> None:
    for _ in range(52):
        exam(project, lesions=(), views=(("R", "CC"),))
    client = client_of(project)
    assert len(numbers(client, project)) == 50 and len(numbers(client, project, "?page=2")) == 2
    assert b"51 to 52 of 52" in client.get(reverse("cases:list", args=[project.slug]) + "?page=2").content


def test_a_page_costs_at_most_twelve_queries_for_one_case_and_for_fifty_with_the_splits(project: Project) -> None:
    client = client_of(project, "curator")
    exams = [exam(project)]
    url = reverse("cases:list", args=[project.slug])
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    exams += [exam(project, site="AB"[number % 2]) for number in range(49)]
    make_frozen_version(project, make_member(project, "curator"), exams)
    with CaptureQueriesContext(connection) as many:
        page = client.get(url)
    with CaptureQueriesContext(connection) as filtered:
        client.get(url + "?site=A&lesion=cluster-malignant&sort=patient&split=Training")
    assert page.content.count(b'<td class="wide-only">Train') > 10, "the split column is among what was paid for"
    assert len(filtered) <= len(many) <= len(few) <= 12


def test_htmx_gets_the_results_without_the_frame(project: Project) -> None:
    exam(project)
    client = client_of(project)
    url = reverse("cases:list", args=[project.slug])
    part = client.get(url, headers={"HX-Request": "true"})
    assert b"<html" not in part.content and b'id="case-results"' in part.content and "HX-Request" in part["Vary"]
    restored = client.get(url, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<html" in restored.content


@pytest.mark.parametrize(("layout", "size"), [("", 'width="36" height="52"'), ("?layout=images", 'width="72"')])
def test_the_row_shows_the_pictures_there_are_and_links_each_to_its_image(layout: str, size: str) -> None:
    project = make_project("0")  # a number as the project's name must not be taken for the image's
    made = exam(project, views=(("R", "CC"), ("L", "CC")))
    Image.objects.filter(view__exam=made, kind="low_energy").update(thumbnail="thumbnails/x.png")
    page = client_of(project).get(reverse("cases:list", args=[project.slug]) + layout).content.decode()
    for image in Image.objects.filter(view__exam=made, kind="low_energy").select_related("view"):
        source = reverse("cases:thumbnail", args=[project.slug, image.pk])
        assert f'<img src="{source}" alt="{image.view.laterality} CC" loading="lazy" {size}' in page
    assert page.count("data-thumbnail>") == 2 and page.count('class="thumbnail-missing"') == 2


def test_a_missing_image_is_a_dashed_hole(project: Project) -> None:
    exam(project, views=(("R", "CC"),))
    assert b"L MLO is missing" in client_of(project).get(reverse("cases:list", args=[project.slug])).content


def test_empty_lists_say_what_to_do(project: Project) -> None:
    url = reverse("cases:list", args=[project.slug])
    assert b"No exam yet. Import a folder." in client_of(project, "curator").get(url).content
    assert b"Curators of the project import exams." in client_of(project, "observer").get(url).content
    exam(project)
    assert b"No exam matches." in client_of(project).get(url + "?origin=phantom").content


def test_the_search_field_leads_to_the_only_case(project: Project) -> None:
    one, _ = exam(project), exam(project)
    client = client_of(project)
    url = reverse("cases:search", args=[project.slug])
    assert client.get(url, {"q": str(one.number)}).url == f"/{project.slug}/cases/{one.number}/"
    assert client.get(url, {"q": "P0"}).url == f"/{project.slug}/cases/?q=P0"


def test_the_export_has_the_filtered_rows_and_is_audited(project: Project) -> None:
    exam(project, site="A"), exam(project, site="B")
    response = client_of(project).get(reverse("cases:export", args=[project.slug]) + "?site=A")
    lines = response.content.decode().splitlines()
    assert len(lines) == 2 and lines[0].startswith("case,patient,site,age") and ",A," in lines[1]
    assert AuditEvent.objects.filter(action="cases.export").count() == 1


def test_a_new_project_shows_three_steps_and_a_filled_one_its_counts(project: Project) -> None:
    url = reverse("cases:home", args=[project.slug])
    assert b"Three steps" in client_of(project, "curator").get(url).content
    broken = exam(project)
    broken.views.first().images.filter(kind="recombined").delete()
    refresh_exam(broken)
    response = client_of(project, "curator").get(url)
    assert b"Three steps" not in response.content and response.context["counts"]["exams"] == 1
    assert [task.count for task in response.context["attention"]] == [1]


def test_the_report_groups_files_by_reason(stocked: Project, pairs: Pairs) -> None:
    for patient in ("W005", "W006"):
        row = pairs.add(patient)
        (pairs.folder / row["low_energy"]).unlink()
    run_import("import_pairs", pairs.write(), project=stocked.slug)
    response = client_of(stocked, "curator").get(f"/{stocked.slug}/import/2/")
    groups = {group["label"]: group["count"] for group in response.context["groups"]}
    assert groups == {"File missing": 2, "Unchanged": 2}
    assert b"Correct the manifest and import it again." in response.content
