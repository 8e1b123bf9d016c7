"""Runs a handler file as AWS Lambda's Python runtime does, behind Lambda's invocation path.

Its settings come in SKILLCALL_RUNNER as JSON: {file, handler, name, host, port, token, timeoutMs, concurrency}.
"""
import importlib.util
import json
import os
import re
import sys
import threading
import time
import traceback
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SETTINGS = json.loads(os.environ.pop("SKILLCALL_RUNNER"))
MOST_BYTES = 6 * 1024 * 1024
INVOCATIONS = re.compile(r"^/2015-03-31/functions/[^/]+/invocations(\?.*)?$")


def problem(kind, error, request_id=""):
    stack = traceback.format_tb(error.__traceback__) if error.__traceback__ else []
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": stack}


def load():
    """A failure while the file is loaded is every invocation's, as at Lambda."""
    try:
        folder, name = os.path.split(SETTINGS["file"])
        sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location(os.path.splitext(name)[0], SETTINGS["file"])
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except SyntaxError as error:
        traceback.print_exc()
        return None, problem("Runtime.UserCodeSyntaxError", error)
    except ImportError as error:
        traceback.print_exc()
        return None, problem("Runtime.ImportModuleError", error)
    except Exception as error:  # whatever the file does
        traceback.print_exc()
        return None, problem(type(error).__name__, error)
    found = module
    for part in SETTINGS["handler"].split("."):
        found = getattr(found, part, None)
    if not callable(found):
        told = LookupError(f"{name} defines no function {SETTINGS['handler']}")
        return None, problem("Runtime.HandlerNotFound", told)
    return found, None


class Context:
    """Lambda's context object."""

    function_name = SETTINGS["name"]
    function_version = "$LATEST"
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    identity = None
    client_context = None

    def __init__(self, request_id):
        region = os.environ.get("AWS_REGION", "us-east-1")
        self.aws_request_id = request_id
        self.invoked_function_arn = f"arn:aws:lambda:{region}:111122223333:function:{self.function_name}"
        self.deadline = time.monotonic() + SETTINGS["timeoutMs"] / 1000

    def get_remaining_time_in_millis(self):
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def invoke(handler, event, request_id):
    """The reply, or the failure; the second says which. The handler's thread is left behind when it takes too long."""
    outcome = []

    def call():
        try:
            outcome.append((json.dumps(handler(event, Context(request_id))), False))
        except Exception as error:  # whatever the handler does
            traceback.print_exc()
            kind = "Runtime.MarshalError" if isinstance(error, TypeError) and "JSON serializable" in str(error) else type(error).__name__
            outcome.append((problem(kind, error, request_id), True))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(SETTINGS["timeoutMs"] / 1000)
    if outcome:
        return outcome[0]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    seconds = SETTINGS["timeoutMs"] / 1000
    return {"errorMessage": f"{now} {request_id} Task timed out after {seconds:.2f} seconds"}, True


HANDLER, FAILED = load()
# Lambda gives an execution environment one event at a time.
PLACES = threading.Semaphore(SETTINGS["concurrency"])


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written in two pieces, and the second would wait for the acknowledgement of the first.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body, **headers):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/health":
            return self.reply(200, {"status": "ok"})
        self.not_found()

    def not_found(self):
        self.reply(404, {"Message": "expected POST /2015-03-31/functions/NAME/invocations"}, x_amzn_errortype="ResourceNotFoundException")

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            return self.reply(413, {"Message": "the payload is larger than 6 MB"}, x_amzn_errortype="RequestTooLargeException")
        body = self.rfile.read(length)
        if not INVOCATIONS.match(self.path):
            return self.not_found()
        try:
            event = json.loads(body) if body else {}
        except ValueError as error:
            told = {"Message": f"the payload is no JSON: {error}"}
            return self.reply(400, told, x_amzn_errortype="InvalidRequestContentException")
        request_id = str(uuid.uuid4())
        headers = {"x_amzn_requestid": request_id, "x_amz_executed_version": "$LATEST"}
        with PLACES:
            reply, failed = (FAILED, True) if FAILED else invoke(HANDLER, event, request_id)
        if failed:
            headers["x_amz_function_error"] = "Unhandled"
            print(f"{SETTINGS['name']}: {reply.get('errorType', 'time-out')}: {reply['errorMessage']}", file=sys.stderr, flush=True)
        self.reply(200, reply, **headers)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def watch_parent():
    """Whoever started this ends it by closing its standard input, even when it is killed."""
    sys.stdin.buffer.read()
    os._exit(0)


try:
    SERVER = Server((SETTINGS["host"], SETTINGS["port"]), Answer)
except OSError as error:
    print(f"{SETTINGS['token']} error {error}", flush=True)
    sys.exit(1)
threading.Thread(target=watch_parent, daemon=True).start()
print(f"{SETTINGS['token']} port {SERVER.server_address[1]}", flush=True)
SERVER.serve_forever()
