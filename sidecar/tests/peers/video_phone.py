"""A phone's video on a port, by FFmpeg's libraries: H.264 by libx264, packets by its RTP muxer, pictures by its decoder.

    video_phone.py PORT NUMBER KEY_FRAMES

KEY_FRAMES: pictures from one key frame to the next; those that are asked for come beside them. Lines of JSON in: {"to": port, "at":
address, loopback if there is none, "number", "send", "receive"} begins (keys of SDES or null), {"colour": [r, g, b]} is shown from now on, {"ask": "pli" or "fir"} asks for a key frame.
Out: {"seen": [r, g, b]} for each picture, {"asked": "pli" or "fir"}.
"""

import base64
import json
import random
import socket
import struct
import sys
import tempfile
import threading
import time

import av
import pylibsrtp
from av.video.frame import PictureType

PORT, NUMBER, KEY_FRAMES = (int(word) for word in sys.argv[1:4])
WIDTH, HEIGHT, RATE = 320, 240, 10
SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS = 0x70686F6E
lock = threading.Lock()
state = {"colour": [0, 0, 0], "asked": True, "source": None, "fir": 0, "seen": False}


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


def bound(port):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", port))
    return opened


def free_pair():
    """Below those that the system gives away by itself: FFmpeg takes them later."""
    while True:
        port = random.randrange(24000, 28000, 2)
        try:
            for opened in (bound(port), bound(port + 1)):
                opened.close()
            return port
        except OSError:
            pass


rtp, rtcp = bound(PORT), bound(PORT + 1)


def solid(colour):
    frame = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
    plane = frame.planes[0]
    row = bytes(colour) * WIDTH
    plane.update((row + bytes(plane.line_size - len(row))) * HEIGHT)
    return frame.reformat(format="yuv420p")


def mean(frame):
    small = frame.reformat(width=8, height=8, format="rgb24")
    plane = small.planes[0]
    data, size = bytes(plane), plane.line_size
    rows = [data[row * size : row * size + 24] for row in range(8)]
    return [sum(sum(row[part::3]) for row in rows) // 64 for part in range(3)]


def send_pictures(to, key):
    """What FFmpeg sends goes out from the phone's port."""
    relay = bound(0)
    here = relay.getsockname()[1]
    # Its muxer takes no keys from here: libsrtp encrypts what it sends.
    secret = key and pylibsrtp.Session(
        pylibsrtp.Policy(key=base64.b64decode(key), ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    )

    def carry():
        while True:
            packet = relay.recv(4096)
            # Its RTCP comes here too where it has no port of its own.
            if not 192 <= packet[1] <= 223:
                rtp.sendto(secret.protect(packet) if secret else packet, to)

    threading.Thread(target=carry, daemon=True).start()
    options = {"payload_type": str(NUMBER), "ssrc": str(OURS)}
    url = f"rtp://127.0.0.1:{here}?rtcpport={here}&pkt_size=1200"
    container = av.open(url, "w", format="rtp", options=options)
    stream = container.add_stream("libx264", rate=RATE)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.codec_context.gop_size = KEY_FRAMES
    stream.codec_context.options = {
        "profile": "baseline",
        "tune": "zerolatency",
        "preset": "ultrafast",
        "forced-idr": "1",
        "x264-params": "repeat-headers=1:scenecut=0",
    }
    begin, number = time.monotonic(), 0
    while True:
        frame = solid(state["colour"])
        frame.pts = number
        if state["asked"]:
            state["asked"] = False
            frame.pict_type = PictureType.I
        for packet in stream.encode(frame):
            container.mux(packet)
        number += 1
        time.sleep(max(0, begin + number / RATE - time.monotonic()))


def see_pictures(number, key):
    """What comes to the phone's port goes to FFmpeg."""
    port = free_pair()

    def carry():
        out = bound(0)
        while True:
            packet = rtp.recv(4096)
            state["source"] = packet[8:12]
            out.sendto(packet, ("127.0.0.1", port))

    threading.Thread(target=carry, daemon=True).start()
    profile, crypto = "RTP/AVP", ""
    if key:
        profile, crypto = "RTP/SAVP", f"a=crypto:1 {SUITE} inline:{key}\r\n"
    text = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=video {port} {profile} {number}\r\n{crypto}a=rtpmap:{number} H264/90000\r\na=fmtp:{number} packetization-mode=1\r\n"
    )
    file = tempfile.NamedTemporaryFile(suffix=".sdp")
    file.write(text.encode())
    file.flush()
    options = {
        "protocol_whitelist": "file,udp,rtp,srtp,crypto",
        "analyzeduration": "0",
        "probesize": "32",
        "fflags": "nobuffer",
    }
    stream = av.open(file.name, options=options, timeout=None)
    for packet in stream.demux(video=0):
        try:
            for frame in packet.decode():
                state["seen"] = True
                say({"seen": mean(frame)})
        except av.error.InvalidDataError:
            # Pictures before the first key frame.
            pass


def hear_requests():
    last = None
    while True:
        report = rtcp.recv(4096)
        at = 0
        while at + 4 <= len(report):
            words = struct.unpack("!H", report[at + 2 : at + 4])[0]
            if report[at + 1] == 206:
                kind = report[at] & 31
                if kind == 1 or (kind == 4 and report[at + 16] != last):
                    if kind == 4:
                        last = report[at + 16]
                    state["asked"] = True
                    say({"asked": "pli" if kind == 1 else "fir"})
            at += 4 * (words + 1)


def ask_until_seen(to):
    """As a phone does whose decoder cannot begin."""
    while not state["seen"]:
        time.sleep(0.5)
        ask("pli", to)


def ask(kind, to):
    source = state["source"] or bytes(4)
    ours = struct.pack("!I", OURS)
    report = b"\x80\xc9\x00\x01" + ours
    if kind == "pli":
        report += b"\x81\xce\x00\x02" + ours + source
    else:
        state["fir"] += 1
        report += b"\x84\xce\x00\x04" + ours + bytes(4) + source + bytes([state["fir"], 0, 0, 0])
    rtcp.sendto(report, (to[0], to[1] + 1))


def main():
    to = None
    say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        if "to" in order:
            begun, to = to is not None, (order.get("at", "127.0.0.1"), order["to"])
            if not begun:
                for work, args in (
                    (send_pictures, (to, order["send"])),
                    (see_pictures, (order["number"], order["receive"])),
                    (hear_requests, ()),
                    (ask_until_seen if not order["receive"] else lambda _: None, (to,)),
                ):
                    threading.Thread(target=work, args=args, daemon=True).start()
        elif "colour" in order:
            state["colour"] = order["colour"]
        elif "ask" in order:
            ask(order["ask"], to)


main()
