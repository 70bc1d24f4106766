"""The shortest sessions that keep a server busy, and clients that hold them one after the other.

LDAP (RFC 4511) is written and read here as far as a bind and a Password Modify (RFC 3062) need it.
"""

import random
import socket
import threading
import time

PATIENCE_S = 60


def login(address, user, password):
    """Logs in with USER and PASS, and leaves: POP3 and poppwd have the same words for that."""
    with connect(address) as stream:
        replies = stream.makefile("rb")
        for line in (None, f"USER {user}", f"PASS {password}", "QUIT"):
            if line:
                stream.sendall(line.encode() + b"\r\n")
            reply = replies.readline()
            if not reply.startswith((b"+OK", b"200 ", b"300 ")):
                raise ConnectionError(f"{line and line.split()[0]} is answered {reply}")
        if replies.read():
            raise ConnectionError("there is something after the farewell")


def ldap_change(address, user, old, new):
    """Binds with the old password and sets the new one, as a user's program does."""
    name = f"uid={user},dc=bench,dc=example".encode()
    bind = tlv(0x60, tlv(0x02, b"\x03"), tlv(0x04, name), tlv(0x80, old.encode()))
    passwords = tlv(0x30, tlv(0x81, old.encode()), tlv(0x82, new.encode()))
    modify = tlv(0x77, tlv(0x80, b"1.3.6.1.4.1.4203.1.11.1"), tlv(0x81, passwords))
    with connect(address) as stream:
        replies = stream.makefile("rb")
        for number, request in enumerate((bind, modify), 1):
            stream.sendall(tlv(0x30, tlv(0x02, bytes([number])), request))
            code = result_code(read_tlv(replies))
            if code:
                raise ConnectionError(f"LDAP request {number} is answered with result code {code}")
        stream.sendall(tlv(0x30, tlv(0x02, b"\x03"), tlv(0x42)))


def tlv(tag, *parts):
    """A value of BER (X.690) with its tag and length."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def read_tlv(stream):
    """The body of the next value of `stream`."""
    head = stream.read(2)
    if len(head) < 2:
        raise ConnectionError("the connection ends")
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(stream.read(length & 0x7F))
    return stream.read(length)


def result_code(message):
    """The result code in an LDAP message: after its number and the response's tag and length."""
    response = message[2 + message[1] :]
    code = response[2 + (response[1] & 0x7F if response[1] & 0x80 else 0) :]
    return code[2]


def connect(address):
    stream = socket.create_connection(address, PATIENCE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


class Population:
    """Accounts u0 to u<count - 1>, each lent to one session at a time, and their passwords."""

    def __init__(self, count, password):
        self.count, self.first = count, password
        self.numbers, self.lent, self.lock = {}, set(), threading.Lock()

    def lend(self):
        """An account by chance, its password and the next one."""
        with self.lock:
            while (index := random.randrange(self.count)) in self.lent:
                pass
            self.lent.add(index)
            number = self.numbers.get(index, 0)
        return index, self.password(number), self.password(number + 1)

    def take_back(self, index, is_changed):
        with self.lock:
            self.lent.remove(index)
            self.numbers[index] = self.numbers.get(index, 0) + is_changed

    def password(self, number):
        return f"{self.first}-{number}" if number else self.first


def keep_busy(clients, seconds, session):
    """Lets `clients` hold sessions one after the other.

    Returns how many ended in time, how many in all, and how long each took in ms.
    """
    times, in_time, faults = [], [], []
    end = time.monotonic() + seconds

    def client():
        try:
            while (begun := time.monotonic()) < end:
                session()
                ended = time.monotonic()
                times.append((ended - begun) * 1e3)
                in_time.append(ended <= end)
        except OSError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return sum(in_time), len(times), sorted(times)
