"""The servers that are compared: how each is started, and what it and its processes use."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
START_MAX_S = 30
MEMORY_LOOK_S = 0.5


class Server:
    """A running server with all its processes."""

    def __init__(self, name, port, command, log, cpus=None):
        """Starts `command`, on `cpus` only if they are given, and waits for it to listen."""
        self.name, self.address = name, ("127.0.0.1", port)
        place = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        with log.open("w") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=place
            )
        self.log = log
        self.await_listener()

    def await_listener(self):
        end = time.monotonic() + START_MAX_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return socket.create_connection(self.address, 1).close()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not come up: {self.log.read_text()[-500:]}")

    def word_after(self, text):
        """What its log says after `text`, once it does."""
        end = time.monotonic() + START_MAX_S
        while text not in (log := self.log.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        return log.partition(text)[2].partition(" ")[0]

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cpu_s(self):
        """Processor seconds of its processes, those that have ended included."""
        return sum(sum(map(int, stat[11:15])) for _, stat in self.tree()) * TICK_S

    def pss_bytes(self):
        """Memory of its processes, what several share counted once."""
        sizes = 0
        for pid, _ in self.tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            sizes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return sizes * 1024

    def tree(self):
        """The numbers of its processes, with the fields of proc(5)'s stat from the third on."""
        stats = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stats[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    pass
        tree = [self.process.pid]
        for pid in tree:
            tree.extend(child for child, stat in stats.items() if int(stat[1]) == pid)
        return [(pid, stats[pid]) for pid in tree if pid in stats]


class Watch:
    """The most memory that a server has while this runs, and its processor time."""

    def __init__(self, server):
        self.server, self.pss_bytes, self.ended = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.ended.wait(MEMORY_LOOK_S):
            self.pss_bytes = max(self.pss_bytes, self.server.pss_bytes())

    def __enter__(self):
        self.cpu_s = self.server.cpu_s()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.cpu_s = self.server.cpu_s() - self.cpu_s


class House:
    """Where everything lies, and how the servers are started on `count` accounts."""

    def __init__(self, peers):
        self.peers, self.here = Path(peers), Path(__file__).parent
        self.root = self.peers / "root"
        # Logs and ledgers of this run alone; and no peer finds itself running already.
        self.out = self.root / "run"
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.out], check=True)

    def loadtest(self, *arguments):
        return [self.peers / "bin/keyturn-loadtest", *map(str, arguments)]

    def keyturn(self, count, kernel="", port=1010, cpus=None):
        """The server, with its fastest kernel or with the one named."""
        name = f"keyturn-{kernel}" if kernel else "keyturn"
        command = [self.peers / "bin" / name, "serve", "--config", self.here / "keyturn.toml"]
        command += ["--data", self.peers / "data" / f"{name}.{count}", "--listen", f"127.0.0.1:{port}"]
        server = Server(name, port, command, self.out / f"{name}.log", cpus)
        server.kernel = server.word_after("hashing with the ")
        if (server.kernel == "crate") != (kernel == "crate"):
            raise RuntimeError(f"{name} hashes with the {server.kernel} kernel")
        return server

    def poppassd(self, count):
        for file in ("passwd", "shadow"):
            (self.root / f"etc/{file}").write_bytes((self.root / f"etc/{file}.{count}").read_bytes())
        return self.installed("poppassd", 1060, "inetd", "-i", "/etc/inetd.conf")

    def slapd(self, count):
        configuration = f"/etc/ldap/slapd.{count}.conf"
        return self.installed("slapd", 1389, "slapd", "-d", 0, "-h", "ldap://127.0.0.1:1389", "-f", configuration)

    def dovecot(self, count):
        return self.installed("Dovecot", 1100, "dovecot", "-F", "-c", f"/etc/dovecot/dovecot.{count}.conf")

    def redis(self, cpus):
        options = "--port 1637 --bind 127.0.0.1 --appendonly no --protected-mode no --save".split()
        return self.installed("redis", 1637, "redis-server", *options, "", cpus=cpus)

    def memcached(self, cpus):
        options = "-l 127.0.0.1 -p 1121 -U 0 -t 1 -u memcache".split()
        return self.installed("memcached", 1121, "memcached", *options, cpus=cpus)

    def installed(self, name, port, *command, cpus=None):
        """A server of the throw-away root."""
        return Server(name, port, ["chroot", self.root, *map(str, command)], self.out / f"{name}.log", cpus)
