"""Calls to object stores, the lock of a folder there, and the copy of a run."""

import threading

import pytest

from fastrrae import InputError
from fastrrae.buckets import FolderCopy, as_address, inside, local_folder, place_of, publish
from fastrrae.buckets import lease as leases
from fastrrae.buckets.address import Objects
from fastrrae.buckets.lease import LOCK, Lease, leased


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("gs://a/b", "gs://a/b"),
        ("gs:/a/b/", "gs://a/b"),  # of a Path
        ("s3://a/b/c", "s3://a/b/c"),
        ("runs/mine", None),
        ("http://a/b", None),
        ("gs:relative", None),
    ],
)
def test_addresses(text, address):
    assert as_address(text) == address


@pytest.fixture(params=["s3", pytest.param("gcs", marks=pytest.mark.slow)])
def objects(request):
    return Objects(request.getfixturevalue(request.param) + "/folder")


def test_objects_are_written_read_listed_and_deleted(objects, tmp_path):
    assert objects.names() == {}
    objects.write("a", b"first")
    before = objects.names()["a"]
    objects.write("a", b"other")
    assert objects.names()["a"] != before
    objects.below("deep").write("b", b"")
    assert objects.sizes() == {"a": 5, "deep/b": 0}
    assert set(objects.names()) == {"a", "deep/b"}
    assert objects.holds("a")
    assert not objects.holds("deep")
    objects.fetch("a", tmp_path / "new" / "a")
    assert (tmp_path / "new" / "a").read_bytes() == objects.read("a") == b"other"
    objects.remove("a")
    objects.remove("a")
    with pytest.raises(FileNotFoundError):
        objects.read("a")


def test_errors_that_pass_are_not_noticed(s3, faults):
    answers = iter([True, True, False] * 100)
    faults.fail = lambda line: next(answers)
    objects = Objects(s3 + "/folder")
    objects.write("a", b"content")
    assert objects.read("a") == b"content"
    assert faults.failed >= 4


def test_a_store_that_stays_broken_is_one_message(s3, faults, monkeypatch):
    monkeypatch.setattr("fastrrae.buckets.address.ATTEMPTS", 1)
    faults.fail = lambda line: line.startswith("PUT")
    with pytest.raises(InputError, match=r"cannot write a in s3://.*check the address, the credentials"):
        Objects(s3 + "/folder").write("a", b"content")


def test_one_of_two_holds_the_lock(s3, monkeypatch):
    monkeypatch.setattr(leases, "RENEWED_EVERY", 0.05)
    objects = Objects(s3 + "/run")
    with leased(objects):
        with pytest.raises(InputError, match="is in use by process"), leased(objects):
            pass
        assert LOCK in objects.names()
    assert LOCK not in objects.names()


def test_a_lock_is_taken_where_the_answer_to_its_write_was_lost(s3, monkeypatch):
    create = Objects.create
    monkeypatch.setattr(Objects, "create", lambda *call: create(*call) and create(*call))  # sent twice
    monkeypatch.setattr(leases, "EXPIRES_AFTER", 1000.0)
    with leased(Objects(s3 + "/run")) as lease:
        assert lease.held


def test_a_lock_that_nobody_renews_is_taken_and_its_holder_stops(s3, monkeypatch):
    monkeypatch.setattr(leases, "RENEWED_EVERY", 1000.0)
    monkeypatch.setattr(leases, "EXPIRES_AFTER", 0.3)
    copy = FolderCopy.open(s3 + "/run")
    with copy.exclusive():
        (copy.local / "metrics.jsonl").write_text("{}")
        copy.publish()
        monkeypatch.setattr(leases, "RENEWED_EVERY", 0.05)
        other = Lease(copy.objects)
        other.take()  # the first is silent
        assert copy._lease is not None
        copy._lease.held = False  # as its thread would find at the next renewal
        with pytest.raises(InputError, match="another process has taken the lock"):
            copy.publish()
        other.release()


def test_of_many_at_once_one_creates(s3):
    objects, won = Objects(s3 + "/run"), []
    threads = [threading.Thread(target=lambda n=n: won.append(objects.create("x", b"%d" % n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_the_copy_of_a_run_is_sent_and_fetched(s3, monkeypatch):
    first, second = FolderCopy(s3 + "/run"), FolderCopy(s3 + "/run")
    second.local = first.local.with_name("second")
    first.local.mkdir(parents=True)
    (first.local / "config.json").write_text("1")
    (first.local / "UNFINISHED").write_text("")
    first.publish()
    second.update()
    assert (second.local / "config.json").read_text() == "1"
    order = []
    monkeypatch.setattr(Objects, "send", lambda self, file, name: order.append(name))
    monkeypatch.setattr(Objects, "remove", lambda self, name: order.append(f"delete {name}"))
    (first.local / "UNFINISHED").unlink()
    (first.local / "zeta").write_text("")
    (first.local / "summary.json").write_text("{}")
    first.publish()
    assert order == ["zeta", "summary.json", "delete UNFINISHED"]
    order.clear()
    (first.local / "UNFINISHED").write_text("")
    (first.local / "summary.json").unlink()
    (first.local / "alpha").write_text("")
    first.publish()
    assert order[0] == "delete summary.json"


def test_processes_of_a_host_fetch_the_same_file_at_the_same_time(s3, faults, tmp_path):
    objects = Objects(s3 + "/records")
    objects.write("manifest.json", b"content")
    faults.delay, failed = 0.05, []

    def fetch():
        try:
            objects.fetch("manifest.json", tmp_path / "manifest.json")
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == {
        "manifest.json": b"content"
    }


def test_a_folder_with_runs_in_it_leaves_them_to_their_own_copies(s3, tmp_path):
    sweep = local_folder(s3 + "/sweep")
    run = local_folder(inside(sweep, "rank=2"))
    assert run == sweep / "rank=2"
    run.mkdir(parents=True)
    (sweep / "sweep.csv").write_text("1")
    (run / "config.json").write_text("2")
    publish(sweep)
    assert set(Objects(s3 + "/sweep").names()) == {"sweep.csv"}
    publish(run)
    assert set(Objects(s3 + "/sweep").names()) == {"sweep.csv", "rank=2/config.json"}
    other = FolderCopy(s3 + "/sweep")
    other.local = tmp_path / "other"
    other.update()
    assert [path.name for path in (tmp_path / "other").rglob("*") if path.is_file()] == ["sweep.csv"]
    assert place_of(run) == s3 + "/sweep/rank=2"
    assert (place_of(tmp_path), inside(tmp_path, "a")) == (str(tmp_path), tmp_path / "a")
