#!/usr/bin/env python3
"""Writes messages.txt anew: what ovs-ofctl sends for each line of commands.txt.

    ./capture.py > messages.txt

It plays the switch on a socket of its own, runs `ovs-ofctl -O <version> <command> <socket> <argument>` for
each line, and notes the one message that changes something, its bytes in hexadecimal, and how
`ovs-ofctl ofp-print` reads them.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

HELLO, ECHO, FEATURES, PACKET_OUT, FLOW_MOD, GROUP_MOD, MULTIPART, BARRIER, METER_MOD = 0, 2, 5, 13, 14, 15, 18, 20, 29
BUNDLE_CONTROL, BUNDLE_ADD, EXPERIMENTER = 33, 34, 4
NOTED = {PACKET_OUT, FLOW_MOD, GROUP_MOD, METER_MOD, MULTIPART, BUNDLE_CONTROL, BUNDLE_ADD}


def reply(version, kind, xid, body=b""):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def play(server, noted):
    peer, _ = server.accept()
    data = b""
    while True:
        more = peer.recv(65536)
        if not more:
            return
        data += more
        while len(data) >= 8:
            version, kind, length, xid = struct.unpack("!BBHI", data[:8])
            if len(data) < length:
                break
            message, data = data[:length], data[length:]
            # Names of tables and ports are asked for as well; only flows are noted.
            names = kind == MULTIPART and message[8:10] != b"\0\1"
            if (kind in NOTED and not names) or (kind == EXPERIMENTER and message[8:12] == b"ONF\0"):
                noted.append(message)
            if kind == HELLO:
                peer.sendall(reply(version, HELLO, 1))
            elif kind == ECHO:
                peer.sendall(reply(version, 3, xid, message[8:]))
            elif kind == FEATURES:
                peer.sendall(reply(version, 6, xid, struct.pack("!QIBBHII", 1, 0, 254, 0, 0, 0x4F, 0)))
            elif kind == BARRIER:
                peer.sendall(reply(version, 21, xid))
            elif kind == MULTIPART:
                peer.sendall(reply(version, 19, xid, message[8:12] + bytes(4)))
            elif kind == BUNDLE_CONTROL:
                bundle, step, flags = struct.unpack("!IHH", message[8:16])
                peer.sendall(reply(version, BUNDLE_CONTROL, xid, struct.pack("!IHH", bundle, step + 1, flags)))
            elif kind == EXPERIMENTER:
                bundle, step, flags = struct.unpack("!IHH", message[16:24])
                if message[12:16] == struct.pack("!I", 2300):
                    answer = message[8:16] + struct.pack("!IHH", bundle, step + 1, flags)
                    peer.sendall(reply(version, EXPERIMENTER, xid, answer))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = tempfile.mkdtemp(prefix="capture-")
    path = os.path.join(folder, "switch")
    shown = subprocess.run(["ovs-ofctl", "--version"], capture_output=True, text=True, check=True).stdout
    print("# Made by capture.py with", shown.splitlines()[0])
    for line in open(os.path.join(here, "commands.txt")):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        version, command, argument = line.split(" ", 2)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        noted = []
        thread = threading.Thread(target=play, args=(server, noted), daemon=True)
        thread.start()
        words = command.split("+")
        where = ["unix:" + path]
        run = subprocess.run(["ovs-ofctl", "--no-names", "-O", version, *words, *where, *argument.split(" ")] if argument != "-"
                             else ["ovs-ofctl", "--no-names", "-O", version, *words, *where], capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"{line}: {run.stderr}")
        thread.join(5)
        server.close()
        os.unlink(path)
        print()
        print("$", line)
        for message in noted:
            printed = subprocess.run(["ovs-ofctl", "ofp-print", message.hex()], capture_output=True, text=True)
            print("<", " ".join(printed.stdout.split()))
            print(message.hex())
    os.rmdir(folder)


main()
