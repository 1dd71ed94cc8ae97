"""Runs a command beside a throw-away PostgreSQL server, and ends like it.

    python postgres_server.py COMMAND...

The command finds the address of an empty database in LATENTS_TEST_POSTGRES. The server listens on the
loopback address only, keeps its data in a temporary folder, and is gone afterwards. It is Debian's
package `postgresql`; a server does not run as root, so root runs it as the user `postgres`.
"""

import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile


def binaries():
    """The folder of initdb and pg_ctl, of the newest version that is installed."""
    version = lambda path: [int(part) for part in path.split("/")[-2].split(".")]
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=version)
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    if initdb is None:
        sys.exit("no PostgreSQL server is installed: apt-get install postgresql")
    return os.path.dirname(initdb)


def main(command):
    folder = tempfile.mkdtemp(prefix="latents-postgres-")
    as_postgres = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_postgres = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program, *arguments):
        call = [*as_postgres, os.path.join(binaries(), program), "-D", f"{folder}/data", *arguments]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    try:
        run("initdb", "--username=latents", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            url = f"postgresql://latents:secret@127.0.0.1:{port}/postgres"
            environment = os.environ | {"LATENTS_TEST_POSTGRES": url}
            return subprocess.run(command, env=environment).returncode
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
