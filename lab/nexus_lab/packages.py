# SPDX-License-Identifier: BSD-3-Clause
"""Debian packages without installing them: apt with folders of its own, signatures checked.

One private apt a release, in the cache: its sources, lists and archives are its own, so the host's
apt state is neither read for candidates nor written. The mirror is the one the host uses (or
$NEXUS_DEBIAN_MIRROR and $NEXUS_DEBIAN_SECURITY_MIRROR), the key ring the distribution's.
"""

import functools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nexus_lab.cache import cache_root, content_key, locked
from nexus_lab.errors import LabError
from nexus_lab.process import output_of
from nexus_lab.progress import say, step

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHITECTURE = "amd64"
LISTS_LAST = 6 * 3600.0  # seconds for which package lists are not asked for again

# Where each release's kernels live; suites without a security archive have None there.
_SUITES = {
    "bookworm": (("bookworm", "bookworm-updates", "bookworm-backports"), "bookworm-security"),
    "trixie": (("trixie", "trixie-updates", "trixie-backports"), "trixie-security"),
    "sid": (("sid",), None),
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package as the archive describes it."""

    name: str
    version: str
    depends: tuple[str, ...]
    """First alternative of each dependency, names only."""
    size: int
    """Bytes to download."""


def _sources_of_host() -> dict[str, str]:
    """Return the host's suites with the mirror of each, {"bookworm": "http://…/debian/"}."""
    listing = output_of(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    )
    found: dict[str, str] = {}
    for line in listing.splitlines():
        suite, _, uri = line.partition(" ")
        # Vendors' archives may use a Debian suite name; Debian's own mirrors end in /debian.
        if re.search(r"/debian(-security)?/?$", uri):
            found.setdefault(suite, uri.rstrip("/"))
    return found


@functools.cache
def mirrors() -> tuple[str, str]:
    """Return the URLs of the archive and of the security archive."""
    host = _sources_of_host()
    main = os.environ.get("NEXUS_DEBIAN_MIRROR") or next(
        (uri for suite, uri in host.items() if not suite.endswith("-security")), ""
    )
    if not main:
        raise LabError("the host's apt sources name no Debian mirror: set NEXUS_DEBIAN_MIRROR")
    security = os.environ.get("NEXUS_DEBIAN_SECURITY_MIRROR") or next(
        (uri for suite, uri in host.items() if suite.endswith("-security")), f"{main}-security"
    )
    return main.rstrip("/"), security.rstrip("/")


def _acquire_settings() -> str:
    """Return the host's settings on how to fetch (proxies and the like), nothing else."""
    dump = output_of(["apt-config", "dump", "Acquire", "--format", '%F "%v";%n'])
    return "".join(
        f"{line}\n"
        for line in dump.splitlines()
        if re.match(r"Acquire::(http|https|ftp|ForceIPv[46]|Retries)\b", line)
        and not line.endswith('"";')
    )


class Archive:
    """One release's packages.

    Args:
        release: bookworm, trixie or sid.
    """

    def __init__(self, release: str) -> None:
        self.release = release
        main, security = mirrors()
        suites, security_suite = _SUITES[release]
        lines = [(main, suite) for suite in suites]
        if security_suite:
            lines.append((security, security_suite))
        self.sources = "".join(
            f"deb [arch={ARCHITECTURE} signed-by={KEYRING}] {uri} {suite} main\n"
            for uri, suite in lines
        )
        self.folder = cache_root() / "apt" / f"{release}-{content_key(self.sources)}"
        self._env = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}

    def _lay_out(self) -> None:
        if not KEYRING.exists():
            raise LabError(f"{KEYRING} is missing: run tools/setup as root")
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "etc" / "sources.list").write_text(self.sources)
        (self.folder / "apt.conf").write_text(
            f'Dir "{self.folder}";\n'
            'Dir::Etc "etc";\nDir::State "state";\nDir::Cache "cache";\n'
            'Dir::Etc::sourcelist "sources.list";\n'
            # Nothing of the host's sources, preferences, hooks or further keys.
            'Dir::Etc::sourceparts "/dev/null";\nDir::Etc::parts "/dev/null";\n'
            'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "/dev/null";\n'
            'Dir::Etc::trusted "/dev/null";\nDir::Etc::trustedparts "/dev/null";\n'
            'Dir::Etc::netrc "/etc/apt/auth.conf";\nDir::Etc::netrcparts "/etc/apt/auth.conf.d";\n'
            'Dir::State::status "/dev/null";\n'
            f'APT::Architecture "{ARCHITECTURE}";\nAPT::Architectures "{ARCHITECTURE}";\n'
            'Acquire::Languages "none";\n'
            # The cache may lie where apt's own user cannot go; signatures are checked all the same.
            'APT::Sandbox::User "root";\n' + _acquire_settings()
        )

    def update(self, *, force: bool = False) -> None:
        """Fetch the package lists, unless those here are fresh. What a suite lacks is said."""
        stamp = self.folder / "updated"
        with locked(f"apt-{self.release}"):
            fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_LAST
            if fresh and not force:
                return
            self._lay_out()
            with step(f"package lists of {self.release}"):
                done = subprocess.run(
                    ["apt-get", "-q", "update"],
                    check=False,
                    capture_output=True,
                    text=True,
                    env=self._env,
                )
            complaints = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            for line in complaints:
                say(f"{self.release}: {line.removeprefix('E:').strip()}")
            if not any((self.folder / "state" / "lists").glob("*_Packages*")):
                raise LabError(
                    f"no package lists of {self.release}: {' '.join(complaints) or done.stderr}"
                )
            stamp.touch()

    def names(self, pattern: str) -> list[str]:
        """Return the names of packages that match a regular expression as a whole."""
        self.update()
        wanted = re.compile(pattern)
        return [
            name
            for name in output_of(["apt-cache", "pkgnames"], self._env).splitlines()
            if wanted.fullmatch(name)
        ]

    def show(self, name: str) -> Package | None:
        """Return a package's newest version, or None where only its name is known."""
        self.update()
        shown = subprocess.run(
            ["apt-cache", "show", "--no-all-versions", name],
            check=False,
            capture_output=True,
            text=True,
            env=self._env,
        )
        fields = dict(
            line.split(": ", 1)
            for line in shown.stdout.splitlines()
            if ": " in line and not line.startswith(" ")
        )
        if shown.returncode or "Version" not in fields:
            return None
        depends = tuple(
            match[0]
            for part in fields.get("Depends", "").split(",")
            if (match := re.match(r"[a-z0-9][a-z0-9+.-]*", part.strip()))
        )
        return Package(name, fields["Version"], depends, int(fields.get("Size", "0")))

    @contextmanager
    def downloaded(self, packages: Sequence[Package]) -> Iterator[list[Path]]:
        """Download packages, checked against the signed lists, for the time of a `with`."""
        size = sum(package.size for package in packages) / 1e6
        label = f"downloading {packages[0].name} and what it needs, {size:.0f} MB"
        with tempfile.TemporaryDirectory(prefix="debs-", dir=self.folder) as folder:
            with step(label):
                done = subprocess.run(
                    ["apt-get", "-q", "download", *(f"{p.name}={p.version}" for p in packages)],
                    check=False,
                    capture_output=True,
                    text=True,
                    cwd=folder,
                    env=self._env,
                )
            archives = sorted(Path(folder).glob("*.deb"))
            if done.returncode or len(archives) != len(packages):
                # Lists older than the mirror name files that are gone: next time they are fetched.
                (self.folder / "updated").unlink(missing_ok=True)
                raise LabError(f"{label} failed: {done.stderr.strip()}")
            yield archives


def newer(one: str, other: str) -> bool:
    """Say whether a Debian version is newer than another."""
    return not subprocess.run(
        ["dpkg", "--compare-versions", one, "gt", other], check=False
    ).returncode


def newest(packages: Sequence[Package]) -> Package:
    """Return the package with the highest version."""
    best = packages[0]
    for package in packages[1:]:
        if newer(package.version, best.version):
            best = package
    return best
