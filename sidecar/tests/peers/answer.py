"""A SIP peer that answers each INVITE with one status, over TCP or TLS (Python's ssl). Says what it meets, a line each.

usage: answer.py STATUS [CERTIFICATE KEY]
"""

import socket
import ssl
import sys

status, files = sys.argv[1], sys.argv[2:]
listener = socket.create_server(("127.0.0.1", 0))
print("port", listener.getsockname()[1], flush=True)
context = None
if files:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[0], files[1])


def reply(request, code):
    kept = ("via", "from", "call-id", "cseq")
    lines = [line for line in request.split("\r\n")[1:] if line.split(":")[0].strip().lower() in kept]
    to = next(line for line in request.split("\r\n") if line.lower().startswith("to:"))
    return "\r\n".join([f"SIP/2.0 {code} Said", *lines, to + ";tag=answer", "Content-Length: 0", "", ""]).encode()


while True:
    connection, _ = listener.accept()
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
            print("tls", connection.version(), flush=True)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
            while b"\r\n\r\n" in data:
                head, _, rest = data.partition(b"\r\n\r\n")
                text = head.decode("latin-1")
                length = next(
                    (int(line.split(":")[1]) for line in text.split("\r\n") if line.lower().startswith("content-length:")),
                    0,
                )
                if len(rest) < length:
                    break
                data = rest[length:]
                if not text.strip():
                    continue
                method = text.split(" ")[0]
                print(method, text.split("\r\n")[0], flush=True)
                if method == "INVITE":
                    connection.sendall(reply(text, status))
                elif method == "OPTIONS":
                    connection.sendall(reply(text, 200))
    except (ssl.SSLError, OSError) as error:
        print("failed", error, flush=True)
