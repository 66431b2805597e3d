"""Images as the viewer gets them: who may, exact pixels, ranges, caching, the trail they leave."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from imaging.reading import read_pixels
from tests.webapp.viewer.constructed import (
    BREAST,
    LESION,
    SQUARE,
    Constructed,
    add_run,
    add_synthetic,
    pixels,
    store,
)
from webapp.accounts.models import User
from webapp.cases.models import Image
from webapp.core import files
from webapp.core.models import AuditEvent
from webapp.viewer import byte_range


def image_of(case: Constructed, view: str = "R-CC", kind: str = "low_energy") -> Image:
    return case.views[view].images.get(kind=kind)


def address(name: str, case: Constructed, image: Image) -> str:
    return reverse(f"viewer:{name}", args=[case.project.slug, image.pk])


def case_addresses(case: Constructed) -> list[str]:
    image = image_of(case)
    pages = [
        reverse(f"viewer:{name}", args=[case.project.slug, case.exam.number]) for name in ("case", "study", "layers")
    ]
    return pages + [address(name, case, image) for name in ("metadata", "frame", "rendered")]


def test_every_role_may_look(case: Constructed, client_of_observer: Client) -> None:
    for url in case_addresses(case):
        assert client_of_observer.get(url).status_code == 200, url


def test_outsiders_find_nothing(case: Constructed, outsider: User, client: Client) -> None:
    client.force_login(outsider)
    for url in case_addresses(case):
        assert client.get(url).status_code == 404, url
    assert not AuditEvent.objects.filter(action__startswith="viewer.").exists()


def test_strangers_are_sent_to_sign_in(case: Constructed, client: Client) -> None:
    for url in case_addresses(case):
        response = client.get(url)
        assert response.status_code == 302, url
        assert reverse("accounts:sign-in") in response["Location"]


def test_an_image_is_not_found_through_another_project(case: Constructed, observer: User, client: Client) -> None:
    from tests.webapp import records

    other = records.make_project("other")
    member = records.make_member(other, "admin")
    client.force_login(member)
    image = image_of(case)
    assert client.get(reverse("viewer:frame", args=["other", image.pk])).status_code == 404
    assert client.get(reverse("viewer:case", args=["other", case.exam.number])).status_code == 404


@pytest.mark.parametrize("kind", ["low_energy", "recombined"])
def test_a_frame_holds_the_stored_pixels_exactly(case: Constructed, client_of_observer: Client, kind: str) -> None:
    image = image_of(case, kind=kind)
    response = client_of_observer.get(address("frame", case, image))
    assert response["Content-Type"] == "image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202"
    decoded = imagecodecs.htj2k_decode(response.content)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, read_pixels(files.absolute(image.file)).pixels)
    np.testing.assert_array_equal(decoded, pixels("R", kind, SQUARE))


def test_an_8_bit_picture_is_served_as_a_frame_too(case: Constructed, client_of_observer: Client, tmp_path) -> None:
    import cv2

    values = np.arange(40 * 30, dtype=np.uint8).reshape(40, 30)
    cv2.imwrite(str(tmp_path / "picture.png"), values)
    case.views["R-MLO"].images.filter(kind="recombined").delete()
    image = store(
        case.views["R-MLO"],
        "recombined",
        tmp_path / "picture.png",
        format="png",
        rows=40,
        columns=30,
        bits_stored=8,
        spacing_row=None,
        spacing_column=None,
        window_high=255,
    )
    decoded = imagecodecs.htj2k_decode(client_of_observer.get(address("frame", case, image)).content)
    np.testing.assert_array_equal(decoded, values)
    described = client_of_observer.get(address("metadata", case, image)).json()[0]
    assert described["00280010"]["Value"] == [40]
    assert described["00280100"]["Value"] == [8]
    assert "00280030" not in described


def test_spacing_of_the_detector_is_copied_to_where_viewers_look(case: Constructed, client_of_observer: Client) -> None:
    described = client_of_observer.get(address("metadata", case, image_of(case))).json()[0]
    assert described["00181164"] == described["00280030"] == {"vr": "DS", "Value": [0.4, 0.4]}
    assert described["00280004"]["Value"] == ["MONOCHROME2"]
    assert "00100010" not in described
    assert "00100020" not in described


@pytest.mark.parametrize("kind", ["low_energy", "recombined"])
def test_a_difference_frame_is_synthetic_minus_host_about_its_offset(
    case: Constructed, client_of_observer: Client, kind: str
) -> None:
    view = add_synthetic(case, add_run(case, split="train", boxes=[]))
    image = view.images.get(kind=kind)
    response = client_of_observer.get(address("difference_frame", case, image))
    frame = imagecodecs.htj2k_decode(response.content)
    host = pixels("L", kind, None).astype(int)
    changed = pixels("L", kind, (60, 140, 84, 164)).astype(int)
    np.testing.assert_array_equal(frame.astype(int) - 4096, changed - host)


def test_a_difference_picture_is_grey_where_nothing_changed(case: Constructed, client_of_observer: Client) -> None:
    view = add_synthetic(case, add_run(case, split="train", boxes=[]))
    response = client_of_observer.get(address("difference_rendered", case, view.images.get(kind="low_energy")))
    picture = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert abs(int(picture[10, 10]) - 128) <= 1
    assert picture[150, 70] == 255


def test_an_acquired_image_has_no_difference(case: Constructed, client_of_observer: Client) -> None:
    for name in ("difference_frame", "difference_rendered"):
        assert client_of_observer.get(address(name, case, image_of(case))).status_code == 404


def test_images_of_different_sizes_have_no_difference_and_say_why(
    case: Constructed, client_of_observer: Client, tmp_path
) -> None:
    view = add_synthetic(case, add_run(case, split="train", boxes=[]))
    image = view.images.get(kind="low_energy")
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 30), np.uint8))
    image.delete()
    other = store(view, "low_energy", tmp_path / "small.png", format="png", bits_stored=8, rows=20, columns=30)
    response = client_of_observer.get(address("difference_frame", case, other))
    assert response.status_code == 422
    assert "20 x 30 pixels and its host 320 x 240" in response.content.decode()


def test_a_frame_is_encoded_once(case: Constructed, client_of_observer: Client) -> None:
    image = image_of(case)
    first = client_of_observer.get(address("frame", case, image)).content
    path = files.absolute(f"frames/{image.sha256}.jph")
    assert path.read_bytes() == first
    files.absolute(image.file).unlink()
    assert client_of_observer.get(address("frame", case, image)).content == first
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []


def test_a_part_of_a_frame_can_be_asked_for(case: Constructed, client_of_observer: Client) -> None:
    url = address("frame", case, image_of(case))
    whole = client_of_observer.get(url)
    assert whole["Accept-Ranges"] == "bytes"
    size = len(whole.content)
    part = client_of_observer.get(url, headers={"range": "bytes=100-299"})
    assert part.status_code == 206
    assert part.content == whole.content[100:300]
    assert part["Content-Range"] == f"bytes 100-299/{size}"
    tail = client_of_observer.get(url, headers={"range": "bytes=-50"})
    assert tail.content == whole.content[-50:]
    beyond = client_of_observer.get(url, headers={"range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond["Content-Range"] == f"bytes */{size}"
    stale = client_of_observer.get(url, headers={"range": "bytes=0-9", "if-range": '"another"'})
    assert stale.status_code == 200


@given(size=st.integers(1, 10_000), first=st.integers(0, 12_000), length=st.integers(1, 12_000))
def test_a_range_never_leaves_the_file(size: int, first: int, length: int) -> None:
    try:
        start, stop = byte_range.parse(f"bytes={first}-{first + length - 1}", size) or (0, size)
    except byte_range.RangeNotSatisfiable:
        assert first >= size
    else:
        assert (start, stop) == (first, min(first + length, size))


@pytest.mark.parametrize("header", ["", "bytes=", "bytes=-", "items=0-1", "bytes=5-2", "bytes=0-1,4-5", "bytes=a-b"])
def test_what_is_no_single_range_gets_the_whole_file(header: str) -> None:
    assert byte_range.parse(header, 100) is None


def test_the_browser_may_keep_an_image_but_nobody_in_between(case: Constructed, client_of_observer: Client) -> None:
    for name in ("frame", "rendered", "metadata"):
        url = address(name, case, image_of(case))
        response = client_of_observer.get(url)
        assert "private" in response["Cache-Control"]
        assert "Cookie" in response["Vary"]
        again = client_of_observer.get(url, headers={"if-none-match": response["ETag"]})
        assert again.status_code == 304
        assert again.content == b""


def test_what_the_browser_keeps_is_still_asked_for_by_those_who_may(
    case: Constructed, client_of_observer: Client, outsider: User, client: Client
) -> None:
    url = address("frame", case, image_of(case))
    etag = client_of_observer.get(url)["ETag"]
    client.force_login(outsider)
    assert client.get(url, headers={"if-none-match": etag}).status_code == 404


def test_the_rendered_picture_follows_the_window(case: Constructed, client_of_observer: Client) -> None:
    import cv2

    response = client_of_observer.get(address("rendered", case, image_of(case)))
    assert response["Content-Type"] == "image/png"
    shown = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown.shape == (320, 240)
    assert shown[130, 110] == round(LESION / 4095 * 255)
    assert shown[161, 200] == pytest.approx(BREAST / 4095 * 255, abs=2)


def test_a_damaged_file_is_explained(case: Constructed, client_of_observer: Client) -> None:
    image = image_of(case)
    files.absolute(image.file).write_bytes(b"nothing of use")
    Image.objects.filter(pk=image.pk).update(sha256="0" * 64)
    for name in ("frame", "rendered"):
        response = client_of_observer.get(address(name, case, image))
        assert response.status_code == 422
        assert "cannot be shown" in response.content.decode()
        assert str(files.absolute("")) not in response.content.decode()


def test_opening_a_case_is_written_down_once_whatever_it_loads(case: Constructed, client_of_observer: Client) -> None:
    for url in case_addresses(case):
        client_of_observer.get(url)
    events = AuditEvent.objects.filter(action__startswith="viewer.")
    assert [event.action for event in events] == ["viewer.open_case"]
    client_of_observer.get(case_addresses(case)[0])
    assert events.all().count() == 2


def test_reading_an_image_without_the_page_is_written_down(
    case: Constructed, observer: User, client_of_observer: Client
) -> None:
    url = address("frame", case, image_of(case))
    client_of_observer.get(url)
    client_of_observer.get(url)
    event = AuditEvent.objects.get(action="viewer.read_image")
    assert event.actor_id == observer.pk
    assert event.project_id == case.project.pk
    assert event.object_name == "Case 1"
