//! The signing test vectors, verified by this crate and by the examples for authors of handlers in Node and in Python.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use skillcall_protocol::signing::{
    KEY_ID, KeyRing, NONCE, RequestParts, SIGNATURE, SignedReply, SigningError, TIMESTAMP,
    sign_reply, sign_request, verify_reply, verify_request,
};

#[derive(Deserialize)]
struct Document {
    keys: BTreeMap<String, String>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    key_id: String,
    timestamp: i64,
    nonce: String,
    body: String,
    signature: String,
    valid: bool,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Kind {
    Request { method: String, path: String },
    Reply { status: u16 },
}

fn file(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn vectors() -> PathBuf {
    file("tests/vectors/signing.json")
}

impl Vector {
    fn check(&self, keys: &KeyRing) -> Result<(), SigningError> {
        let timestamp = self.timestamp.to_string();
        let lookup = |name: &str| match name {
            KEY_ID => Some(self.key_id.as_str()),
            TIMESTAMP => Some(timestamp.as_str()),
            NONCE => Some(self.nonce.as_str()),
            SIGNATURE => Some(self.signature.as_str()),
            _ => None,
        };
        let body = self.body.as_bytes();
        match &self.kind {
            Kind::Request { method, path } => {
                let parts = RequestParts {
                    method,
                    path_and_query: path,
                    body,
                };
                verify_request(keys, parts, &lookup, self.timestamp).map(|_| ())
            }
            Kind::Reply { status } => {
                let reply = SignedReply {
                    status: *status,
                    nonce: &self.nonce,
                    body,
                };
                verify_reply(keys, reply, &lookup, self.timestamp)
            }
        }
    }

    /// The signature that this crate makes; none for a request whose nonce this crate would not make.
    fn made(&self, keys: &KeyRing) -> Option<String> {
        let body = self.body.as_bytes();
        match &self.kind {
            Kind::Request { method, path } => {
                let mut nonce = [0; 16];
                hex::decode_to_slice(&self.nonce, &mut nonce).ok()?;
                let parts = RequestParts {
                    method,
                    path_and_query: path,
                    body,
                };
                Some(
                    sign_request(keys, parts, self.timestamp, nonce)[3]
                        .1
                        .clone(),
                )
            }
            Kind::Reply { status } => {
                let reply = SignedReply {
                    status: *status,
                    nonce: &self.nonce,
                    body,
                };
                Some(sign_reply(keys, reply, self.timestamp)[2].1.clone())
            }
        }
    }
}

#[test]
fn this_crate_makes_and_accepts_the_vectors() {
    let document: Document = serde_json::from_slice(&std::fs::read(vectors()).unwrap()).unwrap();
    let ring = document
        .keys
        .iter()
        .map(|(id, key)| format!("{id}:{key}"))
        .collect::<Vec<_>>()
        .join(",");
    let ring = KeyRing::parse(&ring).unwrap();
    let mut made = 0;
    for vector in &document.vectors {
        let outcome = vector.check(&ring);
        assert_eq!(
            outcome.is_ok(),
            vector.valid,
            "{}: {outcome:?}",
            vector.name
        );
        let own = KeyRing::parse(&format!(
            "{}:{}",
            vector.key_id, document.keys[&vector.key_id]
        ))
        .unwrap();
        if let Some(signature) = vector.made(&own) {
            made += 1;
            assert_eq!(
                signature == vector.signature,
                vector.valid,
                "{}",
                vector.name
            );
        }
    }
    assert_eq!(
        (document.vectors.len(), made),
        (10, 9),
        "vectors are missing"
    );
}

/// Runs an example over the vectors, then over vectors of which one is wrong: it must notice.
fn example(program: &str, script: &str) {
    let script = file("../../examples/verify-signature").join(script);
    let run = |vectors: &Path| {
        Command::new(program)
            .arg(&script)
            .arg(vectors)
            .output()
            .unwrap_or_else(|error| {
                panic!(
                    "`{program}` is needed to run {} and could not be started: {error}",
                    script.display()
                )
            })
    };
    let output = run(&vectors());
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("10 of 10"),
        "{text}"
    );

    let spoilt = std::fs::read_to_string(vectors())
        .unwrap()
        .replace("NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL");
    let path = std::env::temp_dir().join(format!(
        "skillcall-vectors-{program}-{}.json",
        std::process::id()
    ));
    std::fs::write(&path, spoilt).unwrap();
    let output = run(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn the_node_example_accepts_the_vectors() {
    example("node", "verify.mjs");
}

#[test]
fn the_python_example_accepts_the_vectors() {
    example("python3", "verify.py");
}
