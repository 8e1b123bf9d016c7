"""A SIP peer that answers at one port, and wants to be called at a name and another port from then on.

usage: moved.py NAME
"""

import select
import socket
import sys

name = sys.argv[1]
first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
first.bind(("127.0.0.1", 0))
second.bind(("127.0.0.1", 0))
print("port", first.getsockname()[1], flush=True)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)

while True:
    for ready in select.select([first, second], [], [])[0]:
        data, source = ready.recvfrom(65536)
        text = data.decode("latin-1")
        method = text.split(" ")[0]
        print(method, "at the first" if ready is first else "at the second", flush=True)
        if method == "ACK":
            continue
        kept = ("via", "from", "call-id", "cseq")
        lines = [line for line in text.split("\r\n")[1:] if line.split(":")[0].strip().lower() in kept]
        to = next(line for line in text.split("\r\n") if line.lower().startswith("to:"))
        lines.append(to if ";tag=" in to else to + ";tag=moved")
        body = ""
        if method == "INVITE":
            lines.append(f"Contact: <sip:moved@{name}:{second.getsockname()[1]}>")
            lines.append("Content-Type: application/sdp")
            body = SDP
        lines.append(f"Content-Length: {len(body)}")
        ready.sendto("\r\n".join(["SIP/2.0 200 OK", *lines, "", body]).encode(), source)
