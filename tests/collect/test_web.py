"""Collecting from the web through DVC gives the same data twice, and leaves no trace of a secret."""

import base64
import hashlib
import io
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from tests.protocols import bing, kaggle, openverse, reddit
from tests.protocols import boorus as boards
from tests.protocols.service import Answer, serving
from tests.repositories import RESULTS, copy_working_tree, shrink, warm_environment
from tests.web.fault_server import FaultServer

pytestmark = pytest.mark.slow

QUICK = {"per_second": 500, "per_host": 8, "timeout_s": 5, "deadline_s": 5, "max_wait_s": 1, "allow_private": True}
SECRET_NAMES = ("REDDIT_CLIENT_SECRET", "BING_SEARCH_KEY", "KAGGLE_KEY", "DANBOORU_API_KEY", "OPENVERSE_TOKEN")
SECRETS = {name: f"sentinel-{name[::-1]}" for name in SECRET_NAMES}  # in a form that no file has, this file included
NAMES = {"REDDIT_CLIENT_ID": reddit.CLIENT_ID, "KAGGLE_USERNAME": kaggle.USERNAME, "DANBOORU_LOGIN": "shinji"}
DOWNLOAD = """
import sys
from stages.core import params
from stages.web.client import Fetch
from stages.manifest import kaggle
print(kaggle.download("owner/cars/versions/3", params.read(Fetch, "collect.fetch"), sys.argv[1]))
"""


def run(folder, *command, **environment):
    """Run the command with a cache beside the folder; return its output."""
    variables = warm_environment() | {"XDG_CACHE_HOME": f"{folder}-cache"} | environment
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def commit(folder):
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "state")


def make_repository(folder, **collect):
    """Make a repository of this working tree's files, with small params and these params of `collect`."""
    copy_working_tree(folder, RESULTS)
    yaml = YAML()
    document = yaml.load(folder / "params.yaml")
    shrink(document)
    document["collect"] |= {"source": "data/manifest.csv", **collect}
    document["collect"]["fetch"] |= QUICK
    yaml.dump(document, folder / "params.yaml")
    run(folder, "git", "init", "--quiet")
    for key in ("user.name", "user.email"):
        run(folder, "git", "config", key, "test")
    return folder


def draw(text):
    """Draw another image for each text, as the bytes of a PNG file."""
    seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
    cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(cells).resize((90, 80), Image.Resampling.NEAREST).save(content, "PNG")
    return content.getvalue()


def hashes_of(folder):
    """Return {path: MD5} of all outputs in dvc.lock."""
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def test_two_runs_from_a_manifest_give_the_same_data(tmp_path):
    hosts = ("127.0.0.2", "127.0.0.3")
    with FaultServer(hosts) as server:
        server.pages = {f"/{number}.png": draw(str(number)) for number in range(60)}
        urls = [server.url(path, hosts[number % 2]) for number, path in enumerate(server.pages)]
        for name, faulty in (("one", range(0, 60, 7)), ("two", range(3, 60, 5))):
            for number in faulty:
                server.plan[hosts[number % 2], f"/{number}.png"].append(("503", "truncated", "reset")[number % 3])
            server.plan[hosts[0], "/58.png"].extend(["404"])
            folder = make_repository(tmp_path / name)
            classes = [("bars", "blobs", "dots")[number % 3] for number in range(60)]
            pd.DataFrame({"url": urls, "class": classes}).to_csv(folder / "data" / "manifest.csv", index=False)
            commit(folder)
            run(folder, "dvc", "repro", "split")
        assert server.count()[hosts[1], "/59.png"] == 2
    first, second = (hashes_of(tmp_path / name) for name in ("one", "two"))
    assert {"data/1_raw", "data/2_clean", "data/3_pixels", "data/4_split/split.csv"} <= set(first)
    assert first == second
    assert len(pd.read_csv(tmp_path / "one" / "data" / "1_raw" / "images.csv")) == 59


@pytest.fixture
def services(monkeypatch):
    """Run services that want the secrets; yield their listings, the services, and the host of all images."""
    monkeypatch.setattr(bing, "KEY", SECRETS["BING_SEARCH_KEY"])
    monkeypatch.setattr(kaggle, "KEY", SECRETS["KAGGLE_KEY"])
    monkeypatch.setattr(reddit, "CLIENT_SECRET", SECRETS["REDDIT_CLIENT_SECRET"])
    posts = [boards.Post(number, ("asuka", "solo", "1girl")) for number in range(1, 16)]
    account = base64.b64encode(f"shinji:{SECRETS['DANBOORU_API_KEY']}".encode()).decode()
    answers = {
        "bing": (bing.answering({"cat": [bing.image(n) for n in range(100, 115)]}), {"queries": ["cat"]}),
        "danbooru": (boards.danbooru(posts, f"Basic {account}"), {"tag": "asuka", "also": ["solo", "1girl"]}),
        "openverse": (openverse.answering({"cat": [openverse.image(n) for n in range(15)]}), {"queries": ["cat"]}),
        "reddit": (
            reddit.answering({"cats/new": [reddit.post(n) for n in range(15)]}),
            {"subreddits": ["cats"], "listings": ["new"]},
        ),
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(serving(answer)) for name, (answer, _) in answers.items()}
        items = {name: {"source": name, **answers[name][1], "address": running[name].address} for name in answers}
        items["bing"]["address"] += "/v7.0"
        items["reddit"]["oauth_address"] = running["reddit"].address
        host = stack.enter_context(serving(lambda request: Answer(draw(request.path))))
        storage = stack.enter_context(serving(kaggle.storing(b"PK\5\6" + bytes(18))))  # an empty zip archive
        running["kaggle"] = stack.enter_context(serving(kaggle.answering({"owner/cars?3"}, storage.address)))
        yield {"web": [items["bing"], items["openverse"]], "posts": [items["danbooru"], items["reddit"]]}, running, host


def written(*folders):
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def forms(secret):
    """Return the secret in plain text, and encoded as in a header behind each name."""
    encoded = [base64.b64encode(f"{name}:{secret}".encode()).decode() for name in NAMES.values()]
    return [secret, *encoded]


def test_no_secret_is_left_anywhere(tmp_path, services):
    listings, running, host = services
    folder, secrets = make_repository(tmp_path / "repository", listings=listings), {**SECRETS, **NAMES}
    manifest = folder / "data" / "manifest.csv"
    output = [run(folder, "python", "-m", "stages.manifest", "list", "data/manifest.csv", **secrets)]
    output.append(run(folder, "python", "-c", DOWNLOAD, running["kaggle"].address, **secrets))
    table = pd.read_csv(manifest, dtype=str, keep_default_na=False)
    assert len(table) == 60
    table["url"] = [re.sub("^https://[^/]+", host.address, url) for url in table["url"]]
    table.to_csv(manifest, index=False)
    commit(folder)
    output.append(run(folder, "dvc", "repro", "split", "--verbose", **secrets))
    commit(folder)
    output.append(run(folder, "dvc", "exp", "run", "--temp", "-S", "collect.max_megapixels=80", "split", **secrets))
    assert len(host.requests) == 60

    sent = {name: str([request.headers for request in service.requests]) for name, service in running.items()}
    files = written(folder, Path(f"{folder}-cache"))
    assert any(path.is_relative_to(folder / ".dvc" / "tmp") for path in files)
    commits = run(folder, "git", "rev-list", "--all").split()
    assert len(commits) >= 3  # one of them is an experiment
    for name, secret in SECRETS.items():
        assert any(form in sent[name.split("_")[0].lower()] for form in forms(secret))
        for form in forms(secret):
            assert form not in "".join(output)
            assert not [path for path in files if form.encode() in path.read_bytes() or form in str(path)]
            found = subprocess.run(
                ["git", "grep", "-c", "-F", form, *commits], cwd=folder, capture_output=True, check=False
            )
            assert (found.returncode, found.stdout) == (1, b"")
    assert "params.yaml" in run(folder, "git", "grep", "-c", "-F", running["reddit"].address, *commits)
