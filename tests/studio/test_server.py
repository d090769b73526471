"""The studio's server: who may ask, what is refused, and a project from upload to export."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from audiogen.audio import Recording, read, write
from audiogen.jobs.continue_sound import continue_recording
from audiogen.jobs.request import Request
from tests.conftest import synthetic
from tests.studio.client import Client, finished, studio_of

TUNE = Path(__file__).parents[2] / "data" / "tune.mid"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("shelf")
    write(folder / "rain.wav", synthetic(3, channels=2, rate=22050), "PCM_16")
    write(folder / "crowd.wav", synthetic(3, seed=5, rate=22050))
    (folder / "tune.mid").write_bytes(TUNE.read_bytes())
    (folder / "notes.txt").write_text("no audio")
    (folder.parent / "secret.wav").write_bytes((folder / "rain.wav").read_bytes())
    os.symlink(folder.parent / "secret.wav", folder / "link.wav")
    with studio_of(folder, max_upload=1 << 20) as made:
        yield made


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        ({}, True, 200),
        ({}, False, 403),
        ({"authorization": "Bearer wrong"}, False, 403),
        ({"cookie": "audiogen-studio=wrong; x"}, False, 403),
        ({"host": "evil.example"}, True, 421),
        ({"host": "127.0.0.1"}, True, 421),
        ({"origin": "https://evil.example"}, True, 403),
        ({"origin": "null"}, True, 403),
    ],
)
def test_only_the_studios_own_page_is_answered(
    client: Client, headers: dict[str, str], token: bool, status: int
) -> None:
    for path in ("/", "/api/shelf", "/static/main.js", "/api/projects/rain.wav/file"):
        assert client.get(path, headers=headers, token=token).status == status


def test_the_address_sets_a_cookie_and_the_token_leaves_the_address_bar(client: Client) -> None:
    first = client.get(client.server.url.partition(str(client.server.port))[2], token=False)
    assert (first.status, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = client.get("/", headers={"cookie": cookie.partition(";")[0]}, token=False)
    assert page.status == 200
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "own", "authorization": ""}])
def test_a_live_tail_is_for_the_studios_own_page(client: Client, headers: dict[str, str]) -> None:
    own = f"http://127.0.0.1:{client.server.port}"
    address = f"ws://127.0.0.1:{client.server.port}/api/projects/tune.mid/live"
    token = {"authorization": f"Bearer {client.server.token}"}
    given = {name: own if value == "own" else value for name, value in headers.items()}
    with pytest.raises(InvalidStatus), connect(address, additional_headers=token | given):
        pass
    with connect(address, additional_headers=token | {"Origin": own}) as socket:
        assert "no live tail" in json.loads(socket.recv(timeout=30))["error"]


def test_the_server_listens_on_the_loopback_address_only(client: Client) -> None:
    assert client.server._socket.getsockname()[0] == "127.0.0.1"


def test_the_shelf_lists_what_can_be_continued(client: Client) -> None:
    files = {each["name"]: each["kind"] for each in client.get("/api/shelf").json["files"]}
    assert {name: files[name] for name in ("rain.wav", "tune.mid")} == {"rain.wav": "recording", "tune.mid": "tune"}
    assert "notes.txt" not in files


@pytest.mark.parametrize(
    "name", ["..%2Fsecret.wav", "%2Fetc%2Fpasswd", "..", ".hidden", "no.wav", "link.wav", "a%00b", "..%5Csecret.wav"]
)
def test_no_name_leads_out_of_the_folder(client: Client, name: str) -> None:
    for path in (f"/api/projects/{name}", f"/api/projects/{name}/file"):
        assert client.get(path).status in (400, 404)
    if name not in ("no.wav", "link.wav"):
        assert client.ask("PUT", f"/api/files/{name}", b"x").status in (400, 404, 405)
    assert not (client.server.studio.shelf.folder.parent / "passwd").exists()


def test_a_dropped_file_is_copied_under_a_free_name_and_a_bad_one_refused_in_one_line(client: Client) -> None:
    folder = client.server.studio.shelf.folder
    content = (folder / "rain.wav").read_bytes()
    assert client.ask("PUT", "/api/files/rain.wav", content).json == {"name": "rain.wav"}
    other = (folder / "crowd.wav").read_bytes()
    assert client.ask("PUT", "/api/files/rain.wav", other).json == {"name": "rain-2.wav"}
    assert (folder / "rain-2.wav").read_bytes() == other
    assert (folder / "rain.wav").read_bytes() == content
    before = sorted(folder.iterdir())
    for name, bad, reason in (
        ("text.wav", b"these are words, not audio" * 9, "text.wav"),
        ("empty.wav", b"", "empty"),
        ("big.wav", bytes(2 << 20), "larger than 1 MB"),
        ("bad.mid", b"MThd and nothing", "bad.mid"),
    ):
        answer = client.ask("PUT", f"/api/files/{name}", bad)
        assert answer.status == 400
        assert reason in answer.json["error"]
        assert "\n" not in answer.json["error"]
        assert ".audiogen" not in answer.json["error"]
    assert sorted(folder.iterdir()) == before


def test_an_upload_of_unknown_length_ends_at_the_limit(client: Client) -> None:
    connection = HTTPConnection("127.0.0.1", client.server.port, timeout=30)
    headers = {"authorization": f"Bearer {client.server.token}", "transfer-encoding": "chunked"}
    chunks = (bytes(1 << 18) for _ in range(40))
    try:
        connection.request("PUT", "/api/files/long.wav", chunks, headers, encode_chunked=True)
        assert connection.getresponse().status == 400
    except (BrokenPipeError, ConnectionResetError):  # refused before all was sent
        pass
    finally:
        connection.close()
    assert not (client.server.studio.shelf.folder / "long.wav").exists()


def test_audio_comes_in_ranges_and_the_file_too(client: Client) -> None:
    whole = read(client.server.studio.shelf.folder / "rain.wav").samples
    opened = client.get("/api/projects/rain.wav").json
    assert (opened["sample_rate"], opened["channels"], opened["length"]) == (22050, 2, whole.shape[1])
    part = client.get("/api/projects/rain.wav/audio?start=1000&stop=1500").samples.reshape(-1, 2).T
    np.testing.assert_array_equal(part, whole[:, 1000:1500])
    assert client.get("/api/projects/rain.wav/audio?start=9&stop=9").status == 400
    file = client.get("/api/projects/rain.wav/file", headers={"range": "bytes=0-3"})
    assert (file.status, file.content) == (206, b"RIFF")
    for what, size in (("peaks", 2 * 65 * 2 * 2), ("spectrogram", 96 * 65)):
        assert len(client.get(f"/api/projects/rain.wav/{what}/10/0").content) == size
        assert client.get(f"/api/projects/rain.wav/{what}/99/0").status == 400


def change(client: Client, field: str, value: Any, take: int | None = None, name: str = "rain.wav") -> None:
    answer = client.post(f"/api/projects/{name}/change", {"take": take, "field": field, "value": value})
    assert answer.status == 200, answer.content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 11),
        ("temperature", "hot"),
        ("loop", 1),
        ("level", None.__class__.__name__),
        ("region", [2, 1]),
        ("region", "all"),
        ("morph", "../secret.wav"),
        ("count", 0),
        ("as_set", "yes"),
        ("fields", {"FXName": 3}),
        ("fields", {"CatID": "rain"}),
        ("fields", {"SourceID": "a/b"}),
        ("fields", {"prompt": "x"}),
        ("subtype", "PCM_16"),
    ],
)
def test_a_setting_out_of_range_is_refused(client: Client, field: str, value: object) -> None:
    answer = client.post("/api/projects/rain.wav/change", {"field": field, "value": value})
    assert answer.status == 400
    assert answer.json["error"]


def test_a_project_from_region_to_export(client: Client, texture: Callable[..., Recording], tmp_path: Path) -> None:
    folder = client.server.studio.shelf.folder
    for field, value in (("region", [0.5, 2.5]), ("seconds", 0.8), ("level", -3.0), ("count", 2)):
        change(client, field, value)
    state = client.project("rain.wav")
    expected = "audiogen continue rain.wav -o take.wav --from 0.5 --to 2.5 --seconds 0.8 --level -3 --variations 2"
    assert state["command"] == expected
    assert client.post("/api/projects/rain.wav/takes", {"count": 2}).json["takes"] == [1, 2]
    # The first sound is heard while the take is made, and is that of the file.
    early = client.get("/api/projects/rain.wav/audio?take=1&start=0&stop=4000")
    takes = client.until("rain.wav", finished)
    assert [take["state"] for take in takes] == ["made", "made"]
    facts = takes[0]["facts"]
    made = read(folder / "rain.wav.studio" / "take-001.wav")
    first, stop = facts["prompt_range"]
    assert facts["join_sample"] == stop - first
    assert facts["prompt_start"] == 11025
    begin = facts["prompt_start"] + first
    whole = read(folder / "rain.wav")
    np.testing.assert_array_equal(made.samples[:, : stop - first], whole.samples[:, begin : begin + stop - first])
    if early.headers["x-growing"] == "1":
        heard = early.samples.reshape(-1, 2).T
        written = made.samples[:, facts["join_sample"] :][:, : heard.shape[1]]
        np.testing.assert_allclose(heard, written, atol=2.5 / 32768)  # but for the dither of 16 bits
    # The same bytes as by the job, whose command the page shows.
    request = Request(seconds=0.8, level=-3.0, seed=1)
    direct = continue_recording(whole.cut(11025, 55125), tmp_path / "direct.wav", request)
    second = (folder / "rain.wav.studio" / "take-002.wav").read_bytes()
    assert second == (tmp_path / "direct.wav").read_bytes()
    assert direct["seed"] == takes[1]["request"]["seed"] == 1
    assert any("loud" in text or "quieter" in text for text, _ in takes[0]["facts"]["words"])
    for take, field, value in ((1, "mark", "kept"), (2, "mark", "kept"), (1, "note", "drops")):
        change(client, field, value, take)
    change(client, "template", "{prompt}_{take:02}_seed{seed}")
    options = "--from 0.5 --to 2.5 --seconds 0.8 --level -3"
    planned = f"audiogen continue rain.wav -o export/rain.wav {options} --variations 2"
    planned += " --template '{prompt}_{take:02}_seed{seed}'"
    assert client.project("rain.wav")["export"] == {"command": planned, "problem": "", "fields": {}}
    assert not (folder / "export").exists()
    answer = client.post("/api/projects/rain.wav/export")
    assert answer.json == {"files": ["export/rain_01_seed0.wav", "export/rain_02_seed1.wav"], "waits": False}
    assert (folder / "export" / "rain_02_seed1.wav").read_bytes() == second
    sidecar = json.loads((folder / "export" / "rain_01_seed0.json").read_text())
    assert (sidecar["output"], sidecar["note"], sidecar["join_sample"]) == ("rain_01_seed0.wav", "drops", stop - first)
    assert "exists" in client.post("/api/projects/rain.wav/export").json["error"]
    for name in ("../out", "rain.wav.studio", "/tmp"):
        change(client, "folder", name)
        assert client.post("/api/projects/rain.wav/export").status == 400
    change(client, "folder", "set")
    change(client, "template", "")
    change(client, "as_set", True)
    assert client.post("/api/projects/rain.wav/export").json["waits"]
    for _ in range(1200):
        if len(list((folder / "set").glob("*.json"))) == 2:
            break
        client.get("/api/shelf")
        time.sleep(0.05)
    lengths = [read(folder / "set" / f"rain-{number:02}.wav").seconds for number in (1, 2)]
    assert lengths == pytest.approx([0.8, 0.8], abs=1e-3)
    sidecars = [json.loads((folder / "set" / f"rain-{number:02}.json").read_text()) for number in (1, 2)]
    first, second = (sidecar["loudness_lufs"] for sidecar in sidecars)
    assert first == pytest.approx(second, abs=1e-6)  # although the peaks of one may keep it lower
    assert sidecars[1]["settings"]["set"] == {"take": 2, "takes": 2, "distinct": False}


def test_cancelling_leaves_nothing_and_the_studio_goes_on(client: Client) -> None:
    folder = client.server.studio.shelf.folder
    change(client, "seconds", 600.0, name="crowd.wav")
    first, second = client.post("/api/projects/crowd.wav/takes", {"count": 2}).json["takes"]
    client.get(f"/api/projects/crowd.wav/audio?take={first}&start=0&stop=100")  # waits until it sounds
    for take in (second, first):
        assert client.post(f"/api/projects/crowd.wav/takes/{take}/cancel").status == 200
    takes = client.until("crowd.wav", finished)
    assert [take["state"] for take in takes] == ["cancelled", "cancelled"]
    assert not [path for path in (folder / "crowd.wav.studio").rglob("*") if path.suffix in (".part", ".f32", ".wav")]
    assert client.post(f"/api/projects/crowd.wav/takes/{first}/cancel").status == 400
    change(client, "seconds", 0.5, name="crowd.wav")
    client.post("/api/projects/crowd.wav/takes", {"count": 1})
    assert client.until("crowd.wav", finished)[-1]["state"] == "made"


def test_a_take_that_cannot_be_made_says_why(client: Client) -> None:
    change(client, "region", [0.0, 0.2], name="crowd.wav")
    client.post("/api/projects/crowd.wav/takes", {"count": 1})
    take = client.until("crowd.wav", finished)[-1]
    assert take["state"] == "failed"
    assert "too short to continue" in take["facts"]["error"]


def test_a_tune_has_notes_and_is_heard(client: Client) -> None:
    opened = client.get("/api/projects/tune.mid").json
    assert opened["kind"] == "tune"
    assert all(start < end for start, end, *_ in opened["notes"]["notes"])
    assert np.abs(client.get("/api/projects/tune.mid/audio?start=0&stop=44100").samples).max() > 0.01
    change(client, "bars", 2, name="tune.mid")
    change(client, "takes", 1, name="tune.mid")
    client.post("/api/projects/tune.mid/takes", {"count": 1})
    take = client.until("tune.mid", finished)[0]
    assert take["state"] == "made", take["facts"]
    assert take["command"] == "audiogen continue tune.mid -o take-001.mid --bars 2 --takes 1"
    longer = client.get("/api/projects/tune.mid/source?take=1").json
    assert longer["notes"]["notes"][-1][1] > opened["notes"]["notes"][-1][1]
    assert longer["notes"]["notes"][: len(opened["notes"]["notes"])] == opened["notes"]["notes"]


def test_a_worker_that_dies_fails_its_take_and_is_replaced(client: Client) -> None:
    change(client, "region", None, name="crowd.wav")
    change(client, "seconds", 600.0, name="crowd.wav")
    client.post("/api/projects/crowd.wav/takes", {"count": 1})
    client.until("crowd.wav", lambda takes: takes[-1]["state"] == "making")
    worker = client.server.studio.queue._workers[0]
    assert worker.process is not None
    worker.process.kill()
    assert "died" in client.until("crowd.wav", finished)[-1]["facts"]["error"]


@pytest.mark.posix
def test_the_command_prints_its_address_and_ends_with_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "audiogen", "studio", str(tmp_path), "--no-browser", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) == 130
        finally:
            process.kill()
        assert "Traceback" not in process.stderr.read()
