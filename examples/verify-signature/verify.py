# Verifies skillcall's signatures. Usage: python3 verify.py vectors.json
# A handler does the same with the headers of what it received, and also refuses a time stamp that is more than 60 s
# off and a nonce that it has seen within 120 s.
import base64, hashlib, hmac, json, sys


def verify(key, m):
    digest = hashlib.sha256(m["body"].encode()).hexdigest()
    if m["kind"] == "request":
        signed = ["skillcall-v1", m["method"], m["path"], m["timestamp"], m["nonce"], digest]
    else:
        signed = ["skillcall-v1-reply", m["status"], m["nonce"], m["timestamp"], digest]
    text = "\n".join(str(part) for part in signed)
    return hmac.compare_digest("v1=" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), m["signature"])


with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
vectors = document["vectors"]
wrong = [m for m in vectors if verify(base64.b64decode(document["keys"][m["keyId"]]), m) != m["valid"]]
for m in wrong:
    print(f"{m['name']}: expected {'valid' if m['valid'] else 'refused'}", file=sys.stderr)
print(f"{len(vectors) - len(wrong)} of {len(vectors)} as expected")
sys.exit(1 if wrong or not vectors else 0)
