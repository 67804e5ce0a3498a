"""Frames between two namespaces: python3 -c <kinds.py and this> FROM TO FRAME LAST

FROM and TO are names of namespaces or files of theirs; FRAME and LAST are calls of what kinds.py has. Sends both by FROM's eth0, again and again
where a switch may turn their order, and says whether FRAME comes out of TO's eth0 before LAST, or hardly after it: "yes" or "no".
"""


def open_in(name):
    namespace = os.open(name if "/" in name else f"/run/netns/{name}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), f"namespace {name}")
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.bind(("eth0", 0))
    return raw


sender, receiver = open_in(sys.argv[1]), open_in(sys.argv[2])
frame, last = eval(sys.argv[3]), eval(sys.argv[4])
# A switch that does not know yet what to do with frames of a kind, or does with them what only its slower half can, lets
# others overtake them; the kernel's datapath asks once more for each look at connection tracking.
ROUNDS, PAUSE = (8, 0.3) if os.environ.get("LAB_DATAPATH") == "system" else (4, 0.05)


def comes():
    sender.send(frame)
    sender.send(last)
    end = None
    while end is None or time.monotonic() < end:
        receiver.settimeout(10 if end is None else max(end - time.monotonic(), 0.001))
        try:
            got = receiver.recv(4096).ljust(60, b"\0")
        except TimeoutError:
            if end is None:
                raise
            return False
        if got == frame:
            return True
        if got == last and end is None:
            end = time.monotonic() + PAUSE
    return False


print("yes" if any(comes() for _ in range(ROUNDS)) else "no")
