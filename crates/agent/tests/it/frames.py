"""Frames of all kinds between two namespaces: python3 -c <this> FROM TO FRAME LAST

FRAME and LAST are calls of the functions below. Sends both by FROM's eth0, again and again where a switch may turn their order, and says whether
FRAME comes out of TO's eth0 before LAST: "yes" or "no". Nothing waits for a frame that is to be lost.
"""
import ctypes
import os
import socket
import struct
import sys
import time


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def eth(src, dst, kind, payload):
    return (mac(dst) + mac(src) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(src, sender, target, op=1, sender_mac=None, dst="ff:ff:ff:ff:ff:ff"):
    payload = struct.pack("!HHBBH", 1, 0x800, 6, 4, op)
    payload += mac(sender_mac or src) + address(sender) + bytes(6) + address(target)
    return eth(src, dst, 0x806, payload)


def ip(src, dst, source, target, protocol, make):
    """`make` gets what a checksum covers beside the payload."""
    a, b = address(source), address(target)
    if len(a) == 4:
        payload = make(lambda n: a + b + struct.pack("!HH", protocol, n))
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0) + a + b
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return eth(src, dst, 0x800, head + payload)
    payload = make(lambda n: a + b + struct.pack("!II", n, protocol))
    return eth(src, dst, 0x86DD, struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) + a + b + payload)


def udp(src, dst, source, target, sport, dport, data="hello, neighbour"):
    def make(pseudo):
        body = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data.encode()
        return body[:6] + struct.pack("!H", checksum(pseudo(len(body)) + body)) + body[8:]

    return ip(src, dst, source, target, 17, make)


def icmp6(src, dst, source, target, kind, body):
    def make(pseudo):
        whole = struct.pack("!BBH", kind, 0, 0) + body
        return whole[:2] + struct.pack("!H", checksum(pseudo(len(whole)) + whole)) + whole[4:]

    return ip(src, dst, source, target, 58, make)


def advertise(src, dst, source, target, about):
    """A neighbour advertisement: `about` is at `src`."""
    return icmp6(src, dst, source, target, 136, bytes([0x60, 0, 0, 0]) + address(about) + b"\2\1" + mac(src))


def router(src, source):
    """A router advertisement."""
    return icmp6(src, "33:33:00:00:00:01", source, "ff02::1", 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0))


def open_in(name):
    namespace = os.open(f"/run/netns/{name}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), f"namespace {name}")
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.bind(("eth0", 0))
    return raw


sender, receiver = open_in(sys.argv[1]), open_in(sys.argv[2])
frame, last = eval(sys.argv[3]), eval(sys.argv[4])
receiver.settimeout(10)


def comes():
    sender.send(frame)
    sender.send(last)
    while True:
        got = receiver.recv(4096).ljust(60, b"\0")
        if got in (frame, last):
            return got == frame


# A switch that does not know yet what to do with frames of a kind lets those overtake that it knows; the kernel's
# datapath asks once more for each look at connection tracking. Only later frames keep their order.
ROUNDS, PAUSE = (8, 0.3) if os.environ.get("LAB_DATAPATH") == "system" else (4, 0.05)


def comes_after(pause):
    time.sleep(pause)
    return comes()


print("yes" if comes() or any(comes_after(PAUSE) for _ in range(ROUNDS - 1)) else "no")
