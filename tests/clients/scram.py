"""Logs in by SCRAM with Python's hashlib and hmac, checks the server's own proof, changes the
password, and prints the last reply.

    python3 scram.py ROOT HOST PORT SCRAM-SHA-1|SCRAM-SHA-256 USER OLD NEW
"""

import base64
import hashlib
import hmac
import os
import socket
import sys

_, host, port, mechanism, user, old, new = sys.argv[1:]
hash_name = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}[mechanism]


def ask(line):
    connection.sendall(line + b"\r\n")
    return lines.readline().rstrip(b"\r\n")


def challenge(reply):
    code, text = reply.split(b" ", 1)
    if code != b"300":
        print(reply.decode())
        sys.exit()
    return base64.b64decode(text)


def mac(key, message):
    return hmac.new(key, message, hash_name).digest()


connection = socket.create_connection((host, int(port)))
lines = connection.makefile("rb")
assert lines.readline().startswith(b"200 ")
nonce = base64.b64encode(os.urandom(18))
bare = b"n=" + user.encode() + b",r=" + nonce
first = challenge(ask(b"AUTH " + mechanism.encode() + b" " + base64.b64encode(b"n,," + bare)))
fields = dict(field.split(b"=", 1) for field in first.split(b","))
assert fields[b"r"].startswith(nonce) and len(fields[b"r"]) > len(nonce)
salted = hashlib.pbkdf2_hmac(hash_name, old.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
client_key = mac(salted, b"Client Key")
without_proof = b"c=biws,r=" + fields[b"r"]
message = b",".join([bare, first, without_proof])
signature = mac(hashlib.new(hash_name, client_key).digest(), message)
proof = bytes(one ^ other for one, other in zip(client_key, signature))
final = challenge(ask(base64.b64encode(without_proof + b",p=" + base64.b64encode(proof))))
assert final == b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message)), final
assert ask(b"") == b"200 login OK, proceed"
print(ask(b"NEWPASS " + new.encode()).decode())
