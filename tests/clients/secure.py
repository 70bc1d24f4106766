"""Changes one password with Python's ssl, and prints the version of TLS that was spoken.

    python3 secure.py ROOT stls|tls HOST PORT CHAIN USER OLD NEW
"""

import socket
import ssl
import sys

_, how, host, port, chain, user, old, new = sys.argv[1:]


def expect(code):
    line = lines.readline()
    assert line.startswith(code.encode() + b" "), line


def ask(line, code):
    connection.sendall(line.encode() + b"\r\n")
    expect(code)


context = ssl.create_default_context(cafile=chain)
connection = socket.create_connection((host, int(port)))
if how == "tls":
    connection = context.wrap_socket(connection, server_hostname=host)
lines = connection.makefile("rb")
expect("200")
if how == "stls":
    ask("STLS", "200")
    connection = context.wrap_socket(connection, server_hostname=host)
    lines = connection.makefile("rb")
ask("USER " + user, "300")
ask("PASS " + old, "200")
ask("NEWPASS " + new, "200")
ask("QUIT", "200")
assert lines.read() == b""
print(connection.version())
