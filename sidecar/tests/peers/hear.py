"""Hears Opus on a port by FFmpeg's libraries: PORT, payload type, frequency. For each 200 ms one line of JSON: how much of them is
that tone."""

import json
import math
import sys
import tempfile

import av
import numpy

port, payload_type, frequency = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
RATE = 48000
description = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    f"m=audio {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} opus/48000/2\r\n"
)
file = tempfile.NamedTemporaryFile(suffix=".sdp")
file.write(description.encode())
file.flush()
print("listening", flush=True)
options = {"protocol_whitelist": "file,udp,rtp", "analyzeduration": "0", "probesize": "32"}
stream = av.open(file.name, options=options, timeout=60)
waiting = numpy.zeros(0)
size = RATE // 5
angle = 2 * math.pi * frequency / RATE * numpy.arange(size)
for frame in stream.decode(audio=0):
    samples = frame.to_ndarray().astype(float)
    # Planes of channels, or channels that take turns.
    channels = len(frame.layout.channels)
    mono = samples.mean(axis=0) if samples.shape[0] == channels else samples.reshape(-1, channels).mean(axis=1)
    waiting = numpy.concatenate([waiting, mono])
    while len(waiting) >= size:
        window, waiting = waiting[:size], waiting[size:]
        energy = float((window**2).sum())
        found = (window @ numpy.sin(angle)) ** 2 + (window @ numpy.cos(angle)) ** 2
        power = 2 * found / (energy * size) if energy > 0 else 0
        print(json.dumps({"power": float(power), "time": frame.time}), flush=True)
