"""A SIP client on WebSocket (RFC 7118), by the library `websockets`: OPTIONS, then a call that the other side ends.

usage: websocket.py URL NUMBER SKILL [CA-FILE]
"""

import secrets
import ssl
import sys

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

url, number, skill, roots = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
context = ssl.create_default_context(cafile=roots[0]) if roots else None
unique = secrets.token_hex(8)
kind = "WSS" if roots else "WS"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
TARGET = f"sip:{number}@127.0.0.1"


def request(method, cseq, tag="", body="", more=()):
    lines = [
        f"{method} {TARGET} SIP/2.0",
        f"Via: SIP/2.0/{kind} df7jal23ls0d.invalid;branch=z9hG4bK{unique}{method}{cseq}",
        "Max-Forwards: 70",
        "From: <sip:+12045550100@df7jal23ls0d.invalid>;tag=ws",
        f"To: <{TARGET}>{tag}",
        "Call-ID: " + unique + ("-options" if method == "OPTIONS" else ""),
        f"CSeq: {cseq} {method}",
        f"X-Alexa-LWA-ClientId: {skill}",
        "Contact: <sip:web@df7jal23ls0d.invalid;transport=ws>",
        *more,
    ]
    if body:
        lines.append("Content-Type: application/sdp")
    # No Content-Length: the WebSocket message says where it ends (RFC 7118 section 5).
    return "\r\n".join([*lines, "", body])


def header(message, name):
    return next(line.split(":", 1)[1].strip() for line in message.split("\r\n") if line.lower().startswith(name + ":"))


try:
    connect(url, ssl=context, max_size=2**20).close()
    print("without the subprotocol: accepted")
except InvalidStatus as refused:
    print("without the subprotocol:", refused.response.status_code)

with connect(url, subprotocols=["sip"], ssl=context) as socket:
    print("subprotocol", socket.subprotocol)
    socket.ping().wait(10)
    print("pong")
    socket.send(request("OPTIONS", 1))
    print("OPTIONS", socket.recv(30).split("\r\n")[0])
    socket.send(request("INVITE", 1, body=SDP))
    while True:
        message = socket.recv(30)
        first = message.split("\r\n")[0]
        if first.startswith("SIP/2.0 1"):
            continue
        print("INVITE", first)
        assert first.startswith("SIP/2.0 200"), message
        print("Contact", header(message, "contact"))
        tag = header(message, "to").partition(";tag=")[2]
        break
    socket.send(request("ACK", 1, tag=f";tag={tag}"))
    bye = socket.recv(30)
    print(bye.split(" ")[0], header(bye, "via").split(" ")[0])
    kept = ("via", "from", "to", "call-id", "cseq")
    lines = [line for line in bye.split("\r\n")[1:] if line.split(":")[0].strip().lower() in kept]
    socket.send("\r\n".join(["SIP/2.0 200 OK", *lines, "", ""]))
