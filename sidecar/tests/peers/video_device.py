"""A device with voice and video by aiortc: it shows one colour, and tells what it sees.

    video_device.py FORMATS [ADDRESS STUN]

FORMATS: the codecs of its video, best first, such as H264 or VP8,H264. ADDRESS: its own, loopback if none is given; STUN: the server that tells
what others see of it. Lines of JSON in: descriptions {"type", "sdp"}, {"offer":
direction} makes an offer, {"colour": [r, g, b]} is shown from now on, {"ask": "pli"} asks for a key frame. Out: descriptions,
{"seen": [r, g, b]} for each picture, {"asked": "pli"}, {"heard": pictures of sound so far} each second.
"""

import asyncio
import json
import sys

import aioice.ice
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from av import VideoFrame

# aioice leaves loopback out, and takes all else that there is.
ADDRESS = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [ADDRESS]

WIDTH, HEIGHT = 320, 240


def say(value):
    print(json.dumps(value), flush=True)


class Colour(VideoStreamTrack):
    def __init__(self):
        super().__init__()
        self.colour = [0, 0, 0]
        self.count = 0

    async def recv(self):
        # One picture in three of thirty a second.
        for _ in range(3):
            pts, base = await self.next_timestamp()
        frame = VideoFrame(WIDTH, HEIGHT, "rgb24")
        plane = frame.planes[0]
        row = bytes(self.colour) * WIDTH
        plane.update((row + bytes(plane.line_size - len(row))) * HEIGHT)
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, base
        return frame


def mean(frame):
    small = frame.reformat(width=8, height=8, format="rgb24")
    plane = small.planes[0]
    data, size = bytes(plane), plane.line_size
    rows = [data[row * size : row * size + 24] for row in range(8)]
    return [sum(sum(row[part::3]) for row in rows) // 64 for part in range(3)]


def tell_requests():
    as_it_is = RTCRtpSender._send_keyframe

    def told(self):
        say({"asked": "pli"})
        as_it_is(self)

    RTCRtpSender._send_keyframe = told


async def see(track):
    while True:
        frame = await track.recv()
        say({"seen": mean(frame)})


async def hear(track):
    count = 0
    while True:
        await track.recv()
        count += 1
        if count % 50 == 0:
            say({"heard": count})


async def main(formats):
    tell_requests()
    servers = [RTCIceServer(urls=f"stun:{server}") for server in sys.argv[3:]]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    tasks = []
    peer.on("track", lambda it: tasks.append(asyncio.ensure_future((see if it.kind == "video" else hear)(it))))
    picture = Colour()
    prefer(peer, formats, picture)
    loop = asyncio.get_running_loop()
    say({"ready": True})
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        order = json.loads(line)
        if "colour" in order:
            picture.colour = order["colour"]
        elif "ask" in order:
            for receiver in peer.getReceivers():
                for source in list(getattr(receiver, "_RTCRtpReceiver__remote_streams")):
                    if receiver.track.kind == "video":
                        await receiver._send_rtcp_pli(source)
        elif "offer" in order:
            for transceiver in peer.getTransceivers():
                transceiver.direction = order["offer"]
            await peer.setLocalDescription(await peer.createOffer())
            say({"type": "offer", "sdp": peer.localDescription.sdp})
        else:
            await peer.setRemoteDescription(RTCSessionDescription(type=order["type"], sdp=order["sdp"]))
            if peer.signalingState == "have-remote-offer":
                await peer.setLocalDescription(await peer.createAnswer())
                say({"type": "answer", "sdp": peer.localDescription.sdp})
    await peer.close()


def prefer(peer, formats, picture):
    peer.addTrack(AudioStreamTrack())
    peer.addTrack(picture)
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "video":
            known = RTCRtpSender.getCapabilities("video").codecs
            chosen = [codec for name in formats for codec in known if codec.mimeType.lower() == f"video/{name}".lower()]
            others = [codec for codec in known if codec.mimeType.lower() == "video/rtx"]
            transceiver.setCodecPreferences(chosen + others)


asyncio.run(main(sys.argv[1].split(",")))
