"""Sends frames by eth0: python3 -c <kinds.py and this> ROUNDS PAUSE FRAME...; each FRAME is a call of what kinds.py has."""
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind(("eth0", 0))
frames = [eval(call) for call in sys.argv[3:]]
for _ in range(int(sys.argv[1])):
    for frame in frames:
        raw.send(frame)
    time.sleep(float(sys.argv[2]))
