"""A WebRTC peer by aiortc on loopback: says one tone, and tells how much of what it hears is another.

    peer.py offer|answer SAYS HEARS

Lines of JSON go both ways: descriptions {"type", "sdp"}, and out {"heard": share of the energy, "level": dBov} for each
200 ms. An offer that comes later is answered.
"""

import array
import asyncio
import fractions
import json
import math
import sys

import aioice.ice
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame

# aioice leaves loopback out; here nothing else is to be used.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

RATE = 48000
SAMPLES = RATE // 50


def say(value):
    print(json.dumps(value), flush=True)


class Tone(AudioStreamTrack):
    """A sine of -13 dBov in frames of 20 ms."""

    def __init__(self, hz):
        super().__init__()
        self.hz = hz
        self.at = 0
        self.start = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        if self.start is None:
            self.start = loop.time()
        await asyncio.sleep(max(0, self.start + self.at / RATE - loop.time()))
        turn = 2 * math.pi * self.hz / RATE
        loud = 32767 * 10 ** (-13 / 20)
        samples = array.array("h", (int(loud * math.sin(turn * (self.at + n))) for n in range(SAMPLES)))
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.pts = self.at
        frame.sample_rate = RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self.at += SAMPLES
        return frame


def share(samples, hz, rate):
    """Goertzel: the share of the energy at hz."""
    energy = sum(sample * sample for sample in samples)
    if energy == 0:
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hz / rate)
    last = before = 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(samples) * energy)


async def hear(track, hz):
    heard = []
    while True:
        frame = await track.recv()
        channels = len(frame.layout.channels)
        data = array.array("h")
        data.frombytes(bytes(frame.planes[0])[: frame.samples * channels * 2])
        heard.extend(data[::channels])
        if len(heard) >= frame.sample_rate // 5:
            level = math.sqrt(sum(sample * sample for sample in heard) / len(heard) * 2) / 32767
            say({"heard": share(heard, hz, frame.sample_rate), "level": 20 * math.log10(max(level, 1e-5))})
            heard = []


async def main(role, says, hears):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tasks = []
    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(hear(track, hears))))
    peer.addTrack(Tone(says))
    if role == "offer":
        await peer.setLocalDescription(await peer.createOffer())
        say({"type": "offer", "sdp": peer.localDescription.sdp})
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        await peer.setRemoteDescription(RTCSessionDescription(**json.loads(line)))
        if peer.signalingState == "have-remote-offer":
            await peer.setLocalDescription(await peer.createAnswer())
            say({"type": "answer", "sdp": peer.localDescription.sdp})
    await peer.close()


asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
