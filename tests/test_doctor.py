"""What is found of a machine, by machines of files that say what a machine would."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mmfuse.cli import main
from mmfuse.doctor import devices, extras, launchers, places, traps, versions


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes packages that are installed in a folder of their own, beside those that are."""
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install(name, version, *lines):
        folder = tmp_path / "site" / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("\n".join([f"Name: {name}", f"Version: {version}", *lines]) + "\n")

    return install


@pytest.fixture
def mmfuse(package):
    """An mmfuse that asks for what no machine has, and for what it has."""
    needs = ["Requires-Dist: numpy>=1", "Requires-Dist: nowhere>=2", "Requires-Dist: old>=2"]
    of_extras = ['Requires-Dist: absent>=1; extra == "film"', 'Requires-Dist: numpy>=1; extra == "sound"']
    of_extras += ['Requires-Dist: mmfuse[film]; extra == "dev"', 'Requires-Dist: elsewhere; sys_platform == "plan9"']
    package("old", "1.5")
    package("mmfuse", "0.0", *needs, *of_extras, *(f"Provides-Extra: {name}" for name in ("film", "sound", "dev")))


def test_what_is_needed_and_missing_or_too_old_is_broken(mmfuse):
    broken = {found.name: found for found in versions.findings() if found.state == "broken"}
    assert {name: found.value for name, found in broken.items()} == {
        "nowhere": "missing",
        "old": "1.5, and >=2 is needed",
    }
    assert broken["old"].advice == "pip install 'old>=2'"


def test_extras_are_those_of_the_installed_package(mmfuse):
    film, sound = extras.findings()
    assert (film.name, film.value, film.state) == ("film", "absent missing", "missing")
    assert film.advice == "pip install 'mmfuse[film]'"
    assert (sound.name, sound.state, sound.value) == ("sound", "fine", f"numpy {metadata.version('numpy')}")


def test_the_exit_code_is_1_where_something_needed_is_broken(mmfuse, capsys, tmp_path):
    assert main(["doctor", "--json", "--outputs", str(tmp_path)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["section"] for each in found} >= {"versions", "devices", "launchers", "optional parts", "places"}
    assert main(["doctor", "--outputs", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "BROKEN missing" in said
    assert "to do: pip install 'mmfuse[film]'" in said


def test_torch_and_its_like_are_not_imported():
    heavy = ("torch", "numpy", "ray", "submitit", "hydra")
    code = (
        "import sys; from mmfuse.commands.doctor import findings; from pathlib import Path; findings(Path('.'));"
        f"sys.exit(any(m in sys.modules for m in {heavy}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("__version__ = '2.9'\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n", "for CUDA 12.8"),
        ("cuda = None\nhip = '6.4'\n", "for ROCm 6.4"),
        ("cuda = None\n", "for CPUs only"),
    ],
)
def test_torchs_build_is_read_from_its_version_file(text, build, tmp_path, monkeypatch):
    (tmp_path / "version.py").write_text(text)
    monkeypatch.setattr(versions, "version_file", lambda: tmp_path / "version.py")
    assert versions.build_of_torch() == build


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import time; time.sleep(60)", "did not start in 1 seconds"),
        ("raise OSError('libcudart.so.13: cannot open')", "cannot be imported: OSError: libcudart.so.13: cannot open"),
        ("import os; os.abort()", "cannot be imported: it ended with -6"),
        ("print('loading ...')", "cannot be imported"),
    ],
)
def test_a_torch_that_is_broken_is_told_of_and_not_suffered(code, says):
    (found,) = devices.asked_of_torch([sys.executable, "-c", code], 1.0 if "sleep" in code else 30.0)
    assert found.state == "broken"
    assert says in found.value


def test_accelerators_by_name_and_memory():
    said = {"gpus": [["H100", 80 * 2**30], ["T4", 15 * 2**30]], "mps": False}
    found = devices.asked_of_torch([sys.executable, "-c", f"print('''{json.dumps(said)}''')"], 30.0)
    assert [(each.name, each.value) for each in found] == [("gpu 0", "H100   80.0 GiB"), ("gpu 1", "T4   15.0 GiB")]


def test_a_container_has_what_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "LIMITS", tmp_path)
    free = devices.cores(), devices.total_memory()
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**29}\n")
    assert (devices.cores(), devices.total_memory()) == (1, 2**29)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (devices.cores(), devices.total_memory()) == free


def test_a_gpu_that_torch_was_not_built_for(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text("")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devices, "build_of_torch", lambda: "for CPUs only")
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    (found,) = devices.accelerators()
    assert found.state == "warning"
    assert "a build of torch for CUDA" in found.advice


def test_a_slurm_is_told_of_with_its_partitions(tmp_path, monkeypatch):
    for name, says in (("sbatch", ""), ("sinfo", 'case $1 in --version) echo slurm 25.1;; *) echo "a|2 nodes";; esac')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert "slurm 25.1   partitions: a (2 nodes)" in launchers.slurm().value
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho no controller >&2; exit 1\n")
    assert (launchers.slurm().state, "no controller" in launchers.slurm().value) == ("warning", True)
    monkeypatch.setenv("PATH", "")
    assert launchers.slurm().state == "missing"


def test_places(tmp_path, monkeypatch):
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path / "nowhere"))
    assert places.data().state == "warning"
    (tmp_path / "sets" / "digits").mkdir(parents=True)
    monkeypatch.setenv("MMFUSE_DATA", str(tmp_path / "sets"))
    assert places.data().value == f"{tmp_path / 'sets'}   1 folders"
    cached = tmp_path / "cache" / "abc"
    cached.mkdir(parents=True)
    (cached / "about.json").write_text('{"what": "bert", "values": 3}')
    (cached / "part").write_bytes(b"0" * 3_000_000)
    monkeypatch.setenv("MMFUSE_CACHE", str(tmp_path / "cache"))
    assert places.cache().value == f"{tmp_path / 'cache'}   3.0 MB"
    (found,) = places.runs(tmp_path / "not" / "made" / "yet")
    assert (found.state, "free" in found.value) == ("fine", True)
    assert not (tmp_path / "not").exists()


def test_a_folder_that_cannot_be_written_is_broken(monkeypatch):
    if not Path("/proc/self").is_dir():
        pytest.skip("only Linux has a folder that not even root may write")
    (found,) = places.runs(Path("/proc/self/outputs"))
    assert (found.state, "cannot be written" in found.value) == ("broken", True)


def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert [found.name for found in places.runs(tmp_path) if found.state == "warning"] == ["locks"]


def test_torchvision_beside_a_torch_for_cpus(package, monkeypatch):
    monkeypatch.setattr(traps, "build_of_torch", lambda: "for CPUs only")
    package("torchvision", "9.0")
    assert "torchvision 9.0" in traps.torchvision().value
    monkeypatch.setattr(traps, "build_of_torch", lambda: "for CUDA 12.8")
    assert traps.torchvision() is None


@pytest.mark.parametrize(("typed", "warned"), [(None, True), ("2", False), ("64", True)])
def test_threads_that_would_wait_for_each_other(typed, warned, monkeypatch):
    monkeypatch.setattr(traps, "cores", lambda: 4)
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", typed or "")
    assert (traps.threads() is not None) == warned
