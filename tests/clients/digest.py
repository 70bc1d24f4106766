"""Logs in with a digest of the password, made by Python's hashlib and hmac, changes the password, and
prints the last reply.

    python3 digest.py ROOT HOST PORT APOP|CRAM-MD5|DIGEST-MD5 USER OLD NEW
"""

import base64
import hashlib
import hmac
import re
import socket
import sys

_, host, port, method, user, old, new = sys.argv[1:]
user, old, new = user.encode(), old.encode(), new.encode()


def ask(line):
    connection.sendall(line + b"\r\n")
    return lines.readline().rstrip(b"\r\n")


def expect(code, reply):
    got, text = reply.split(b" ", 1)
    if got != code:
        print(reply.decode())
        sys.exit()
    return text


def challenge(reply):
    return base64.b64decode(expect(b"300", reply))


def respond(text):
    return ask(base64.b64encode(text))


def hexdigest(*parts):
    return hashlib.md5(b":".join(parts)).hexdigest().encode()


def apop():
    return ask(b"APOP " + user + b" " + hashlib.md5(re.search(b"<.*@.*>", greeting)[0] + old).hexdigest().encode())


def cram_md5():
    asked = challenge(ask(b"AUTH CRAM-MD5"))
    return respond(user + b" " + hmac.new(old, asked, "md5").hexdigest().encode())


def digest_md5():
    asked = dict(re.findall(rb'([a-z]+)="?([^",]*)"?', challenge(ask(b"AUTH DIGEST-MD5"))))
    assert asked[b"qop"] == b"auth" and asked[b"charset"] == b"utf-8" and asked[b"algorithm"] == b"md5-sess", asked
    realm, nonce, cnonce, uri = asked[b"realm"], asked[b"nonce"], b"OA6MHXh6VqTrRk", b"pwd/" + asked[b"realm"]
    secret = hashlib.md5(b":".join([user, realm, old])).digest()
    a1 = hexdigest(secret, nonce, cnonce)

    def made(method):
        return hexdigest(a1, nonce, b"00000001", cnonce, b"auth", hexdigest(method, uri))

    said = b'charset=utf-8,username="%s",realm="%s",nonce="%s",nc=00000001,cnonce="%s",digest-uri="%s",response=%s,qop=auth'
    final = challenge(respond(said % (user, realm, nonce, cnonce, uri, made(b"AUTHENTICATE"))))
    assert final == b"rspauth=" + made(b""), final
    return ask(b"")


connection = socket.create_connection((host, int(port)))
lines = connection.makefile("rb")
greeting = lines.readline()
expect(b"200", greeting)
expect(b"200", {"APOP": apop, "CRAM-MD5": cram_md5, "DIGEST-MD5": digest_md5}[method]())
print(ask(b"NEWPASS " + new).decode())
