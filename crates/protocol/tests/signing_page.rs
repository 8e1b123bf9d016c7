//! The code in `docs/signing.md` does what the page says: it takes the valid vectors once, refuses the others, and makes the
//! replies' signatures.

use std::path::Path;
use std::process::Command;

const NODE: &str = r#"
import { readFileSync } from "node:fs";
const { vectors } = JSON.parse(readFileSync(process.argv[2], "utf8"));
let wrong = 0, checked = 0;
for (const v of vectors.filter((v) => v.keyId === "k1")) {
  const raw = Buffer.from(v.body), headers = {
    "skillcall-key-id": v.keyId, "skillcall-timestamp": String(v.timestamp),
    "skillcall-nonce": v.nonce, "skillcall-signature": v.signature };
  const taken = (now) => { try { return verify(v.method, v.path, headers, raw, now) === v.nonce; } catch { return false; } };
  const outcomes = v.kind === "request"
    ? [taken(v.timestamp + 61), taken(v.timestamp), taken(v.timestamp + 1)]
    : [false, sign(v.status, v.nonce, raw, v.timestamp)["Skillcall-Signature"] === v.signature, false];
  checked++;
  if (String(outcomes) !== String([false, v.valid, false])) { wrong++; console.error(v.name, outcomes); }
}
console.log(`checked ${checked}, wrong ${wrong}`);
"#;

const PYTHON: &str = r#"
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    vectors = json.load(file)["vectors"]
wrong = checked = 0
for v in (v for v in vectors if v["keyId"] == "k1"):
    raw, headers = v["body"].encode(), {
        "skillcall-key-id": v["keyId"], "skillcall-timestamp": str(v["timestamp"]),
        "skillcall-nonce": v["nonce"], "skillcall-signature": v["signature"]}
    def taken(now):
        try:
            return verify(v["method"], v["path"], headers, raw, now) == v["nonce"]
        except ValueError:
            return False
    if v["kind"] == "request":
        outcomes = [taken(v["timestamp"] + 61), taken(v["timestamp"]), taken(v["timestamp"] + 1)]
    else:
        outcomes = [False, sign(v["status"], v["nonce"], raw, v["timestamp"])["Skillcall-Signature"] == v["signature"], False]
    checked += 1
    if outcomes != [False, v["valid"], False]:
        wrong += 1
        print(v["name"], outcomes, file=sys.stderr)
print(f"checked {checked}, wrong {wrong}")
"#;

/// Runs the page's block of a language, with the driver behind it, over the vectors.
fn page(language: &str, program: &str, extension: &str, driver: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../../docs/signing.md")).unwrap();
    let (_, rest) = text
        .split_once(&format!("\n```{language}\n"))
        .expect("docs/signing.md has no code in this language");
    let (code, _) = rest.split_once("\n```\n").unwrap();
    let script = std::env::temp_dir().join(format!(
        "skillcall-signing-page-{}.{extension}",
        std::process::id()
    ));
    std::fs::write(&script, format!("{code}\n{driver}")).unwrap();
    let output = Command::new(program)
        .arg(&script)
        .arg(root.join("tests/vectors/signing.json"))
        .env("SKILLCALL_KEY_K1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .output()
        .unwrap_or_else(|error| {
            panic!("`{program}` is needed to run the code of docs/signing.md and could not be started: {error}")
        });
    std::fs::remove_file(&script).unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("checked 8, wrong 0"), "{told}");
}

#[test]
fn the_code_in_node_is_right() {
    page("js", "node", "mjs", NODE);
}

#[test]
fn the_code_in_python_is_right() {
    page("python", "python3", "py", PYTHON);
}
