"""Frames of all kinds, made by hand: functions that return octets. What sends them stands behind this file."""
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


def arp(src, sender, target, op=1, sender_mac=None, dst="ff:ff:ff:ff:ff:ff", data=""):
    """`data` is what the frame is filled up with."""
    payload = struct.pack("!HHBBH", 1, 0x800, 6, 4, op)
    payload += mac(sender_mac or src) + address(sender) + bytes(6) + address(target)
    return eth(src, dst, 0x806, payload + data.encode())


def tagged(vlan, frame):
    """A frame with a tag of 802.1Q that it did not have."""
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def other(src, dst, kind, data):
    """A frame of some other protocol."""
    return eth(src, dst, kind, data.encode())


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


def option(data):
    """An option of neighbour discovery that nobody knows; none for no data."""
    body = data.encode()
    body += bytes(-(2 + len(body)) % 8)
    return struct.pack("!BB", 253, (2 + len(body)) // 8) + body if data else b""


def advertise(src, dst, source, target, about, data=""):
    """A neighbour advertisement: `about` is at `src`."""
    body = bytes([0x60, 0, 0, 0]) + address(about) + b"\2\1" + mac(src)
    return icmp6(src, dst, source, target, 136, body + option(data))


def router(src, source, data=""):
    """A router advertisement."""
    body = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    return icmp6(src, "33:33:00:00:00:01", source, "ff02::1", 134, body + option(data))


def solicit_router(src, source, data=""):
    """A question for routers."""
    return icmp6(src, "33:33:00:00:00:02", source, "ff02::2", 133, bytes(4) + option(data))
