"""Running a job's function: results, failures in words, stops, fencing."""

from __future__ import annotations

import errno

import pytest

from webapp.core.errors import UserError
from webapp.jobs import execution, lease, places, services
from webapp.jobs.errors import Fenced, JobStopped
from webapp.jobs.models import Job, JobState

pytestmark = pytest.mark.django_db


def texts(job: Job) -> list[str]:
    return list(job.events.order_by("id").values_list("text", flat=True))


def test_a_done_job_keeps_its_result_and_tells_its_story(submit) -> None:
    job = execution.run_here(submit(lambda context: {"views": 3}))
    assert (job.state, job.result, job.fraction, job.attempt) == (JobState.DONE, {"views": 3}, 1.0, 1)
    assert texts(job) == ["Queued.", "Started.", "Done."]
    assert job.token == "" and job.lease_until is None and job.ended is not None


def test_a_user_error_fails_the_job_with_its_own_words_and_is_not_repeated(submit) -> None:
    def function(context):
        raise UserError("File 3 is not an image: remove it.")

    job = execution.run_here(submit(function))
    assert (job.state, job.error, job.attempt) == (JobState.FAILED, "File 3 is not an image: remove it.", 1)


def test_a_spoken_error_of_the_kind_is_shown_as_it_is(submit) -> None:
    class Unreadable(Exception):
        pass

    def function(context):
        raise Unreadable("The header ends early.")

    assert execution.run_here(submit(function, spoken_errors=(Unreadable,))).error == "The header ends early."


def test_an_unexpected_error_shows_no_trace_but_leaves_it_in_the_log(submit) -> None:
    def function(context):
        raise ZeroDivisionError("secret detail")

    job = execution.run_here(submit(function))
    assert job.state == JobState.FAILED
    assert "ZeroDivisionError" in job.error and "secret detail" not in job.error and "Traceback" not in job.error
    assert "Traceback" in places.log_tail(job) and "secret detail" in places.log_tail(job)


def test_a_full_disk_fails_with_words_and_publishes_nothing(submit, tmp_path) -> None:
    final = tmp_path / "published"

    def function(context):
        draft = context.attempt_directory / "weights"
        draft.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    job = execution.run_here(submit(function))
    assert job.state == JobState.FAILED
    assert job.error.startswith("The disk of the data folder is full.")
    assert not final.exists()


def test_publishing_replaces_what_an_earlier_attempt_left(submit, tmp_path) -> None:
    final_file, final_folder = tmp_path / "model.bin", tmp_path / "pictures"
    final_file.write_text("old")
    final_folder.mkdir()
    (final_folder / "old.png").write_text("old")

    def function(context):
        draft = context.attempt_directory / "model.bin"
        draft.write_text("new")
        folder = context.attempt_directory / "pictures"
        folder.mkdir()
        (folder / "new.png").write_text("new")
        context.publish(draft, final_file)
        context.publish(folder, final_folder)

    assert execution.run_here(submit(function)).state == JobState.DONE
    assert final_file.read_text() == "new"
    assert [path.name for path in final_folder.iterdir()] == ["new.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "pictures"]


def test_results_and_the_end_of_the_job_are_one_transaction(submit, project) -> None:
    def function(context):
        with context.completing() as result:
            project.name = "Renamed"
            project.save()
            result["renamed"] = True
            raise UserError("Second thoughts.")

    job = execution.run_here(submit(function))
    project.refresh_from_db()
    assert (job.state, job.result, project.name) == (JobState.FAILED, {}, "Alpha")


def test_completing_marks_done_once_even_when_the_function_goes_on(submit) -> None:
    def function(context):
        with context.completing({"n": 1}) as result:
            result["m"] = 2
        return {"ignored": True}

    job = execution.run_here(submit(function))
    assert job.result == {"n": 1, "m": 2}
    assert texts(job).count("Done.") == 1


def test_a_fenced_attempt_can_write_nothing(submit, tmp_path) -> None:
    refused = []

    def function(context):
        Job.objects.filter(pk=context.job.pk).update(token=lease.new_token())  # another worker took over
        draft = context.attempt_directory / "late"
        draft.write_text("late")
        for write in (
            lambda: context.progress(0.5, "late"),
            lambda: context.event("late", "late"),
            lambda: context.completing({"late": True}).__enter__(),
            lambda: context.publish(draft, tmp_path / "late"),
        ):
            with pytest.raises(Fenced):
                write()
            refused.append(write)
        assert context.fenced() and not (tmp_path / "late").exists()
        return {"late": True}

    job = execution.run_here(submit(function))
    assert len(refused) == 4
    assert (job.state, job.result, job.fraction) == (JobState.RUNNING, {}, None)
    assert "Done." not in texts(job) and "late" not in texts(job)


def test_a_job_asked_to_stop_is_cancelled_when_a_person_asked_and_queued_again_otherwise(submit) -> None:
    def function(context):
        if context.payload["cancel"]:
            services.cancel(actor=None, job=context.job)
        raise JobStopped

    cancelled = execution.run_here(submit(function, payload={"cancel": True}))
    assert (cancelled.state, cancelled.error) == (JobState.CANCELLED, "")
    stopped = execution.run_here(submit(function, payload={"cancel": False}))
    assert (stopped.state, stopped.attempt, stopped.attempts_allowed) == (JobState.QUEUED, 1, 4)


def test_the_work_directory_stays_and_the_attempt_directory_is_fresh(submit) -> None:
    seen = []

    def function(context):
        seen.append((context.work_directory, context.attempt_directory))
        if len(seen) == 1:
            (context.work_directory / "checkpoint").write_text("7")
            raise JobStopped
        return {"from": (context.work_directory / "checkpoint").read_text()}

    job = submit(function)
    execution.run_all_here()
    job.refresh_from_db()
    assert job.result == {"from": "7"}
    assert seen[0][0] == seen[1][0] and seen[0][1] != seen[1][1]


def test_progress_is_clipped_and_kept(submit) -> None:
    def function(context):
        context.progress(1.7, "epoch 2 of 2")
        row = Job.objects.get(pk=context.job.pk)
        assert (row.fraction, row.message) == (1.0, "epoch 2 of 2")

    before = submit(function)
    version = before.version
    job = execution.run_here(before)
    assert job.state == JobState.DONE and job.version > version


def test_the_kind_follows_every_state_inside_the_transaction(submit) -> None:
    states = []
    job = submit(lambda context: None, on_state=lambda job: states.append(job.state))
    execution.run_here(job)
    assert states == [JobState.RUNNING, JobState.DONE]


def test_a_kind_no_app_knows_fails_with_words(submit) -> None:
    job = submit()
    Job.objects.filter(pk=job.pk).update(kind="gone")
    job = execution.run_here(job)
    assert job.state == JobState.FAILED and "does not know the work “gone”" in job.error
