"""Sound, film and plain files, over HTTP from POST to finished."""

import hashlib
import subprocess
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]

from tests.conftest import Origin
from tests.stack import Customer, Json


def made(folder: Path, name: str, *words: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *words, name]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / name).read_bytes()


def member(name: str, media_type: str, origin: str, **more: object) -> Json:
    return {"id": name, "space": 1, "mediaType": media_type, "origin": origin, **more}


def test_sound_film_and_files(customer: Customer, origin: Origin, tmp_path: Path) -> None:
    tone = ("-f", "lavfi", "-i", "sine=duration=3")
    sound = origin.file("tone.wav", made(tmp_path, "tone.wav", *tone))
    bars = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=5:duration=2")
    film = origin.file("bars.mp4", made(tmp_path, "bars.mp4", *bars))
    text = origin.file("words.txt", b"To be read as it is.\n")
    batch = customer.submit(
        [
            member("sound", "audio/wav", sound),
            member("film", "video/mp4", film, deliveryChannels=["iiif-av", "file"]),
            member("text", "text/plain", text),
            member("fake", "video/mp4", text),
            member("none", "video/mp4", f"{origin.url}/no", deliveryChannels=["none"]),
        ]
    )
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (5, 1)

    asset = customer.get("/spaces/1/images/sound")
    assert (asset["family"], asset["duration"]) == ("T", 3000)
    assert "width" not in asset
    (derived,) = customer.get("/spaces/1/images/sound/metadata")["derivatives"]
    assert (derived["channel"], derived["mediaType"]) == ("iiif-av", "audio/mpeg")

    asset = customer.get("/spaces/1/images/film")
    assert (asset["width"], asset["height"], asset["duration"]) == (160, 120, 2000)
    assert asset["deliveryChannels"][0] == {"channel": "iiif-av", "policy": "default-video"}
    storage = customer.get("/spaces/1/images/film/storage")
    assert storage["channels"]["file"] == len((tmp_path / "bars.mp4").read_bytes())
    assert storage["channels"]["iiif-av"] > 1000

    (derived,) = customer.get("/spaces/1/images/text/metadata")["derivatives"]
    assert derived == {
        "channel": "file",
        "bytes": 21,
        "mediaType": "text/plain",
        "sha256": hashlib.sha256(b"To be read as it is.\n").hexdigest(),
    }
    fault = customer.get("/spaces/1/images/fake")["error"]
    assert fault.startswith("The file is not sound or film that can be read")
    store = customer.stack.data / "storage" / "iiif-av" / str(customer.id) / "1"
    assert sorted(path.name for path in store.iterdir()) == ["film.mp4", "sound.mp3"]
    none = customer.get("/spaces/1/images/none")
    assert "error" not in none
    assert customer.get("/spaces/1/images/none/metadata")["derivatives"] == []
