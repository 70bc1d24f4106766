"""Puts the same load on all servers by turns, round after round, and writes the table.

Called by `run`, in namespaces of its own: PEERS RECORD COUNT..., the password on standard input.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from statistics import median

from servers import House, Watch
from sessions import Population, keep_busy, ldap_change, login

ROUNDS = 3
CLIENTS = 16
CHANGE_S = 6
LOGIN_S = 3
REQUEST_S = 2
DOMAIN = "bench.example"

# What is wanted of keyturn against a peer at a number of accounts: with its fastest kernel, and
# with the argon2 crate alone.
WANTED = {("slapd", 1000): (9, 2.8), ("slapd", 100000): (9, 2.8), ("poppassd", 100000): (25, 8)}


class Found:
    """What one server did in one turn."""

    def __init__(self, per_s, p50_ms, p99_ms, cpu_ms, pss_mib):
        self.per_s, self.p50_ms, self.p99_ms, self.cpu_ms, self.pss_mib = per_s, p50_ms, p99_ms, cpu_ms, pss_mib


def by_loadtest(house, server, user, count, password):
    """Password changes of the poppwd protocol."""
    ledger = house.out / f"{server.name}.{count}.ledger"
    with Watch(server) as watch:
        command = house.loadtest(
            "run", "--address", "%s:%d" % server.address, "--users", user, "--accounts", count, "--clients", CLIENTS,
            "--seconds", CHANGE_S, "--patience", 60, "--password-stdin", "--ledger", ledger, "--json", "-",
        )  # fmt: skip
        found = json.loads(subprocess.run(command, input=password, text=True, check=True, capture_output=True).stdout)
    counts, latency = found["counts"], found["latency"]["session"]
    failed = {name: counts[name] for name in ("refused", "timed_out", "broken", "nonsense") if counts[name]}
    if failed or found["generator"]["invalid_because"]:
        raise RuntimeError(f"{server.name}: {failed} {found['generator']['invalid_because']}")
    cpu_ms = watch.cpu_s * 1e3 / counts["changed"]
    return Found(found["goodput_per_s"], latency["p50_ms"], latency["p99_ms"], cpu_ms, watch.pss_bytes / 2**20)


def by_session(server, session, seconds):
    """Sessions held here."""
    with Watch(server) as watch:
        in_time, count, times = keep_busy(CLIENTS, seconds, session)
    p50, p99 = (times[int((len(times) - 1) * share)] for share in (0.5, 0.99))
    return Found(in_time / seconds, p50, p99, watch.cpu_s * 1e3 / count, watch.pss_bytes / 2**20)


def by_peak(house, server, protocol, password):
    """Requests that ask for nothing, one at a time on each of 64 connections."""
    command = ["taskset", "--cpu-list", "1", *house.loadtest("peak", "pingpong", "--protocol", protocol)]
    command += ["--address", "%s:%d" % server.address, "--seconds", str(REQUEST_S), "--json"]
    command += ["--server-pid", str(server.process.pid)]
    if protocol == "keyturn":
        command += ["--user", f"u0@{DOMAIN}", "--password-stdin"]
    found = json.loads(subprocess.run(command, input=password, text=True, check=True, capture_output=True).stdout)
    p50_ms, p99_ms = found["p50_us"] / 1e3, found["p99_us"] / 1e3
    return Found(found["ops_per_s"], p50_ms, p99_ms, found["server_cpu_ns_per_op"] / 1e6, server.pss_bytes() / 2**20)


def changes_on(house, count, password):
    """Who changes passwords: each server by its name, with what a turn of it is."""
    users = Population(count, password)

    def change():
        index, old, new = users.lend()
        ldap_change(slapd.address, f"u{index}", old, new)
        users.take_back(index, is_changed=True)

    keyturn, crate = house.keyturn(count), house.keyturn(count, "crate", 1011)
    poppassd, slapd = house.poppassd(count), house.slapd(count)
    turns = {
        "keyturn": lambda: by_loadtest(house, keyturn, "u{}@" + DOMAIN, count, password),
        "keyturn-crate": lambda: by_loadtest(house, crate, "u{}@" + DOMAIN, count, password),
        "poppassd": lambda: by_loadtest(house, poppassd, "u{}", count, password),
        "slapd": lambda: by_session(slapd, change, CHANGE_S),
    }
    return [keyturn, crate, poppassd, slapd], turns


def logins_on(house, count, password):
    """Who checks passwords. Nobody has changed one yet."""
    keyturn, crate = house.keyturn(count), house.keyturn(count, "crate", 1011)
    servers = [keyturn, crate, house.dovecot(count)]
    users = Population(count, password)

    def turn(server):
        def session():
            index, old, _ = users.lend()
            login(server.address, f"u{index}", old)
            users.take_back(index, is_changed=False)

        return lambda: by_session(server, session, LOGIN_S)

    return servers, {server.name: turn(server) for server in servers}


def requests_on(house, count, password):
    """Who answers requests that ask for nothing: one core each, the generator on the other."""
    servers = [house.keyturn(count, cpus={0}), house.redis({0}), house.memcached({0})]
    turns = {
        server.name: lambda server=server: by_peak(house, server, server.name, password) for server in servers
    }
    return servers, turns


def alternate(what, house, count, password):
    """Each server's findings of all rounds; in each round, all have their turn."""
    servers, turns = what(house, count, password)
    findings = {name: [] for name in turns}
    for number in range(1, ROUNDS + 1):
        for name, turn in turns.items():
            found = turn()
            findings[name].append(found)
            print(f"{count} accounts, round {number}, {name}: {found.per_s:.1f}/s, {found.cpu_ms:.3g} ms CPU", flush=True)
    for server in servers:
        server.stop()
    return findings


def spread(numbers, digits):
    """The median of some numbers, the least and the greatest."""
    return f"{median(numbers):.{digits}f} ({min(numbers):.{digits}f}–{max(numbers):.{digits}f})"


def rows(findings, count, unit_digits=1):
    """A row for each server; ratios are taken within each round."""
    ours = [name for name in findings if name.startswith("keyturn")]
    for name, found in findings.items():
        cells = [f"{count}", name, spread([one.per_s for one in found], unit_digits)]
        for wanted, our in zip(WANTED.get((name, count), (None, None)), ours):
            ratios = [mine.per_s / one.per_s for mine, one in zip(findings[our], found)]
            verdict = wanted and f"; at least {wanted}: {'reached' if median(ratios) >= wanted else 'missed'}"
            cells.append(f"**{spread(ratios, 2)}**{verdict}" if verdict else spread(ratios, 2))
        cpu_ratios = [one.cpu_ms / mine.cpu_ms for mine, one in zip(findings[ours[0]], found)]
        cells += [f"{median(one.cpu_ms for one in found):.3g}", spread(cpu_ratios, 2)]
        cells += [f"{median(getattr(one, quantile) for one in found):.3g}" for quantile in ("p50_ms", "p99_ms")]
        cells.append(f"{max(one.pss_mib for one in found):.0f}")
        yield "| " + " | ".join(cells) + " |"


def table(title, per_s, ours, all_findings, unit_digits=1):
    """A section of the record."""
    ratios = [f"{our} to it" for our in ours]
    columns = ["accounts", "server", per_s, *ratios, "CPU ms each", "its CPU to keyturn's"]
    columns += ["p50 ms", "p99 ms", "memory MiB"]
    lines = [f"\n## {title}\n", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for count, findings in all_findings.items():
        lines.extend(rows(findings, count, unit_digits))
    return "\n".join(lines) + "\n"


def describe(house):
    """The machine, and the versions of the peers."""
    cpuinfo = dict(
        (key.strip(), value.strip())
        for key, _, value in (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    )
    query = ["chroot", house.root, "dpkg-query", "--show", "--showformat", "${Package} ${Version}, "]
    query += ["poppassd", "openbsd-inetd", "libpam-modules", "slapd", "slapd-contrib", "dovecot-pop3d", "redis-server"]
    versions = subprocess.run([*query, "memcached"], check=True, capture_output=True, text=True).stdout
    return (
        f"{cpuinfo['model name']} (family {cpuinfo['cpu family']}, model {cpuinfo['model']}), {os.cpu_count()} CPUs, "
        f"Linux {os.uname().release}. Debian 12: {versions.rstrip(', ')}."
    )


def raise_loopback():
    """The namespace has a loopback interface, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        set_flags, is_up = 0x8914, 0x1
        fcntl.ioctl(control, set_flags, struct.pack("16sh", b"lo", is_up))


HEAD = """# Password changes beside other servers

{machine}
`benches/peers/run`: {rounds} rounds, in each of which every server has its turn; median (min–max) of them, ratios
taken within each. {clients} clients on the two CPUs that the servers have too, each holding one session after the
other on accounts by chance: connect, log in, change the password, leave. Argon2id (slapd: Argon2i, its module has no
other) with 19456 KiB, t=2, p=1; poppassd: yescrypt as Debian's PAM has it, 16 MiB, a hash of another kind at about
the same cost. Every server syncs each change. Processor time is that of all the server's processes; memory is the
most that they had at a time under load (PSS). A turn is {change_s} s long, so a p99 of the slow ones is nearly their
maximum. keyturn hashes with its {kernel} kernel, keyturn-crate with the argon2 crate.
"""


def main():
    peers, record, *counts = sys.argv[1:]
    counts = [int(count) for count in counts]
    password = sys.stdin.readline().rstrip("\n")
    raise_loopback()
    house = House(peers)
    probe = house.keyturn(counts[0])
    kernel = probe.kernel
    probe.stop()
    requests = {counts[0]: alternate(requests_on, house, counts[0], password)}
    logins = {count: alternate(logins_on, house, count, password) for count in counts}
    changes = {count: alternate(changes_on, house, count, password) for count in counts}
    head = HEAD.format(machine=describe(house), rounds=ROUNDS, clients=CLIENTS, change_s=CHANGE_S, kernel=kernel)
    both = ["keyturn", "keyturn-crate"]
    page = head + table("Changes", "changes/s", both, changes)
    page += table("Logins, which are half of a change", "logins/s", both, logins)
    page += table(
        "Requests that ask for nothing (NOOP, PING, mn): one CPU, 64 connections, generator on the other CPU",
        "requests/s", ["keyturn"], requests, unit_digits=0,
    )  # fmt: skip
    Path(record).write_text(page)
    print(page)


main()
