// Verifies skillcall's signatures. Usage: node verify.mjs vectors.json
// A handler does the same with the headers of what it received, and also refuses a time stamp that is more than 60 s
// off and a nonce that it has seen within 120 s.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

function verify(key, m) {
  const hash = createHash("sha256").update(m.body).digest("hex");
  const signed = m.kind === "request"
    ? ["skillcall-v1", m.method, m.path, m.timestamp, m.nonce, hash]
    : ["skillcall-v1-reply", m.status, m.nonce, m.timestamp, hash];
  const expected = Buffer.from("v1=" + createHmac("sha256", key).update(signed.join("\n")).digest("hex"));
  const given = Buffer.from(m.signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const { keys, vectors } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const wrong = vectors.filter((m) => verify(Buffer.from(keys[m.keyId], "base64"), m) !== m.valid);
for (const m of wrong) console.error(`${m.name}: expected ${m.valid ? "valid" : "refused"}`);
console.log(`${vectors.length - wrong.length} of ${vectors.length} as expected`);
process.exit(wrong.length === 0 && vectors.length > 0 ? 0 : 1);
