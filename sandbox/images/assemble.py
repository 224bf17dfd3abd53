"""Assembles the image's root in its build stage, with the base's interpreter: `python3 assemble.py VENV ROOT`.

The root gets the interpreter, its standard library and its packages without what only builds, installs or tests
them, the shared libraries that these need, and the few files of a system that they read. Every file in it belongs to
root, and no other user can write to one. Runs as root, on a base with glibc.
"""

import os
import py_compile
import re
import shutil
import subprocess
import sys
from compileall import compile_dir
from importlib.metadata import distributions
from pathlib import Path

UNUSED_DISTRIBUTIONS = frozenset(
    {
        *("pip", "setuptools"),  # install and compile
        "hf-xet",  # downloads
        "networkx",  # is for torch.compile, which needs a compiler
        *("annotated-doc", "click", "markdown-it-py", "mdurl", "rich", "shellingham", "typer"),  # command lines
        *("annotated-types", "pydantic", "pydantic-core", "typing-inspection"),  # their option parser
    }
)
UNUSED_MODULES = frozenset(
    {"ensurepip", "idlelib", "lib2to3", "pydoc_data", "sitecustomize.py", "test", "tkinter", "turtle.py", "turtledemo"}
    | {"venv"}
)
UNUSED_FOLDERS = frozenset({"__pycache__", "include", "test", "tests"})
UNUSED_ENDINGS = (".a", ".c", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".pxd", ".pyx", ".sh")
PROGRAMS = frozenset({"torch_shm_manager"})
"""What a package executes: torch does not import without it."""
OPENED_LATE = ("libgcc_s.so.1", "libnss_files.so.2")
"""What glibc opens by name, and no file lists."""
SYSTEM_FILES = {
    "etc/passwd": "nobody:x:65534:65534:nobody:/tmp:/nonexistent\n",
    "etc/group": "nogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
MOUNT_POINTS = ("box/in", "box/out", "dev", "proc", "sys", "tmp")


def assemble(venv: Path, root: Path) -> None:
    """Move and copy all that the image holds into `root`, which must not be there yet."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = venv / "lib" / version / "site-packages"
    remove_distributions(packages)
    prune_packages(packages)
    place(packages, root).parent.mkdir(parents=True)
    packages.rename(place(packages, root))
    library = Path(os.__file__).parent
    shutil.copytree(library, place(library, root), ignore=ignore_unused)

    interpreter = place(venv / "bin" / "python", root)
    interpreter.parent.mkdir()
    shutil.copyfile(venv / "bin" / "python", interpreter)
    interpreter.with_name("python3").symlink_to("python")
    shutil.copyfile(venv / "pyvenv.cfg", place(venv / "pyvenv.cfg", root))

    loader = copy_shared_libraries(root)
    write_system_files(root)
    compile_modules(root)
    set_modes(root, {interpreter, loader})


def place(path: Path, root: Path) -> Path:
    """Return where an absolute path of this system lies in the image's root."""
    return root / path.relative_to("/")


def remove_distributions(packages: Path) -> None:
    """Remove what scripts never import, by the files that each distribution lists."""
    for distribution in distributions(path=[str(packages)]):
        if distribution.name.lower().replace("_", "-") in UNUSED_DISTRIBUTIONS:
            for name in {file.parts[0] for file in distribution.files or ()} - {".."}:
                remove(packages / name)


def prune_packages(packages: Path) -> None:
    """Remove headers, sources, tests and programs."""
    remove(packages / "torch" / "share")
    for folder, subfolders, files in os.walk(packages):
        for name in UNUSED_FOLDERS.intersection(subfolders):
            remove(Path(folder, name))
            subfolders.remove(name)
        for name in files:
            is_program = Path(folder).name == "bin" and name not in PROGRAMS
            if is_program or name.endswith(UNUSED_ENDINGS):
                Path(folder, name).unlink()


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def ignore_unused(folder: str, names: list[str]) -> set[str]:
    """Say what of the standard library is not copied: packages of the base lie in it too."""
    at_top = folder == str(Path(os.__file__).parent)
    return {
        name
        for name in names
        if name in UNUSED_FOLDERS
        or name.endswith(UNUSED_ENDINGS)
        or (at_top and (name in UNUSED_MODULES or name.endswith("-packages") or name.startswith("config-")))
    }


def copy_shared_libraries(root: Path) -> Path:
    """Copy the shared libraries of the system that a file in `root` needs; return where the loader lies there."""
    elves = [str(path) for path in root.rglob("*") if path.is_file() and not path.is_symlink() and is_elf(path)]
    listing = subprocess.run(["ldd", *elves], capture_output=True, text=True, check=False).stdout
    found = {Path(line) for line in re.findall(r"(?:^|=>)\s+(/\S+) \(0x", listing, re.MULTILINE)}
    system = {path for path in found if root not in path.parents}
    libc = next(path for path in system if path.name == "libc.so.6")
    system |= {path for name in OPENED_LATE if (path := libc.with_name(name)).exists()}
    for path in sorted(system):
        place(path, root).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place(path, root))
    (root / "etc").mkdir()
    subprocess.run(["ldconfig", "-X", "-r", root, *{str(path.parent) for path in system}], check=True)
    return place(next(path for path in system if path.name.startswith("ld-")), root)


def is_elf(path: Path) -> bool:
    """Whether a file is a program or a shared library."""
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def write_system_files(root: Path) -> None:
    """Write the few files of a system that an interpreter reads, the locale, and the mount points."""
    for name, text in SYSTEM_FILES.items():
        (root / name).write_text(text)
    for locale in Path("/usr/lib/locale").glob("C.*"):
        shutil.copytree(locale, place(locale, root))
    for name in MOUNT_POINTS:
        (root / name).mkdir(parents=True, exist_ok=True)


def set_modes(root: Path, executables: set[Path]) -> None:
    """Let everybody read everything and nobody write; `/tmp` has the mode that a mount over it takes on."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path in executables or path.name in PROGRAMS
            path.chmod(0o755 if runs else 0o644)
    (root / "tmp").chmod(0o1777)


def compile_modules(root: Path) -> None:
    """Compile every module for good: the root is read-only, and modification times are not looked at."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compile_dir(root, maxlevels=99, quiet=2, workers=0, stripdir=str(root), prependdir="/", invalidation_mode=mode)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
