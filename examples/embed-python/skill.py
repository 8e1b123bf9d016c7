"""The skill as a component in Python, by the package wasmtime: compiled once, a fresh instance for each request.

    python skill.py skillcall.wasm SETTINGS.json < LINES

reads one JSON object a line, {"trusted": BODY} or {"event": EVENT}, and writes what the skill answers.
"""

import base64
import json
import sys
import time

import wasmtime
from wasmtime import component


# The package takes and gives a result, an option or a variant as the plain value where its cases differ in their Python
# types, and as component.Variant(tag, payload) where they do not.


class State:
    """`skillcall:host/state`, here in memory. A real host keeps it where it outlives the process."""

    def __init__(self):
        self.entries = {}

    def get(self, _store, key):
        value, end = self.entries.get(key, (None, 0))
        return value if end > time.time() else None

    def set(self, _store, key, value, ttl):
        self.entries[key] = (value, float("inf") if ttl is None else time.time() + ttl)

    def delete(self, _store, key):
        self.entries.pop(key, None)

    def claim(self, _store, key, value, ttl):
        if self.get(_store, key) is not None:
            return False
        self.set(_store, key, value, ttl)
        return True


def ok(value):
    """A result of `settings`, whose two cases both hold texts; those of `state` are plain."""
    return component.Variant("ok", value)


class Skill:
    """The component's typed exports. `settings` are texts, and bytes for the plan."""

    def __init__(self, path, settings, state=None):
        self.engine = wasmtime.Engine()
        with open(path, "rb") as file:
            self.component = component.Component(self.engine, file.read())
        self.linker = component.Linker(self.engine)
        self.linker.add_wasip2()
        self.linker.add_wasi_http()
        self.state = state or State()
        self.settings = settings
        with self.linker.root() as root:
            with root.add_instance("skillcall:host/state@0.1.0") as host:
                for name in ("get", "set", "delete", "claim"):
                    host.add_func(name, getattr(self.state, name))
            with root.add_instance("skillcall:host/settings@0.1.0") as host:
                host.add_func("get", lambda _store, name: ok(self.text(name)))
                host.add_func("get-bytes", lambda _store, name: ok(self.bytes(name)))

    def text(self, name):
        value = self.settings.get(name)
        return value if isinstance(value, str) else None

    def bytes(self, name):
        value = self.settings.get(name)
        return value.encode() if isinstance(value, str) else value

    def call(self, interface, function, *arguments):
        store = wasmtime.Store(self.engine)
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        store.set_wasi(wasi)
        store.set_wasi_http()
        instance = self.linker.instantiate(store, self.component)
        outer = instance.get_export_index(store, interface)
        inner = instance.get_export_index(store, function, outer)
        return instance.get_func(store, inner)(store, *arguments)

    def handle(self, headers, body):
        """A request of Alexa as it came over HTTPS: headers as (name, bytes), and the body's bytes."""
        headers = [record(name=name, value=value) for name, value in headers]
        return self.call("skillcall:skill/skill-requests@0.1.0", "handle", headers, body)

    def handle_trusted(self, body):
        """A request whose sender this host has authenticated itself."""
        return self.call("skillcall:skill/skill-requests@0.1.0", "handle-trusted", body)

    def decide(self, event):
        """What a call does next. What a plug-in did not answer, the call plan decides when it is asked again."""
        try:
            return self.call("skillcall:skill/call-flow@0.1.0", "decide", event)
        except (wasmtime.Trap, wasmtime.WasmtimeError):
            return self.call("skillcall:skill/call-flow@0.1.0", "decide", event)


def record(**fields):
    """A record; fields that WIT calls `call-id` are `call-id` here, too, so they are set by name."""
    made = component.Record()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def from_json(value):
    """JSON as values of a component: {"tag", "val"} is a variant, another object a record, a list a list."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict) and "tag" in value and set(value) <= {"tag", "val"}:
        return component.Variant(value["tag"], from_json(value.get("val")))
    if isinstance(value, dict):
        return record(**{name: from_json(item) for name, item in value.items()})
    return value


def to_json(value):
    if isinstance(value, component.Variant):
        return {"tag": value.tag, "val": to_json(value.payload)}
    if isinstance(value, component.Record):
        return {name: to_json(item) for name, item in vars(value).items()}
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def main():
    path, file = sys.argv[1:]
    with open(file) as settings:
        settings = json.load(settings)
    # JSON has no bytes: the compiled plan stands there as base64.
    settings["plan"] = base64.b64decode(settings["plan"])
    skill = Skill(path, settings)
    for line in sys.stdin:
        order = json.loads(line)
        if "trusted" in order:
            reply = skill.handle_trusted(order["trusted"].encode())
            answer = {"status": reply.status, "body": json.loads(bytes(getattr(reply, "body")))}
        else:
            answer = to_json(skill.decide(from_json(order["event"])))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
