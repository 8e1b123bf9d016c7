//! Exactly once: a repeated request has one effect, and each time the same answer.
//!
//! Alexa, networks and hosts repeat requests. The first to come claims the request's id in `state`, runs, and leaves its
//! answer there; a repetition with the same body gets that answer, waiting for it while the first still runs; one with
//! another body is refused. Entries live as long as the request's time stamp is acceptable.

mod slots;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use slots::{Claim, Entry, Table};

use crate::host::{Deadline, Host, HostError};
use crate::http::{Body, Problem, Response};

/// The answers to requests, by the requests' ids.
pub const ANSWERS: Table = Table {
    name: "once",
    slots: 16_384,
};

/// After this, whoever claimed a request is taken to have died: a repetition runs it again. The `clientSessionId` is
/// derived from the request's id, so that still one call comes of it.
const LEASE_MS: u64 = 10_000;
const POLL: Duration = Duration::from_millis(20);

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    Running {
        body: [u8; 32],
    },
    Done {
        body: [u8; 32],
        status: u16,
        content_type: String,
        answer: Vec<u8>,
    },
}

/// Serves a request once. `ttl` is in seconds: how long a repetition could still be acceptable. Answers of 500 and more
/// are not kept, so that a repetition may do better.
///
/// # Errors
/// When the state cannot be reached.
pub fn once<H: Host>(
    host: &H,
    id: &str,
    body: &Body<'_>,
    ttl: u32,
    deadline: Deadline,
    serve: impl FnOnce() -> Response,
) -> Result<Response, HostError> {
    let body = body.sha256;
    let running = encode(&Progress::Running { body })?;
    let mut entry = match ANSWERS.claim(host, id, &running, ttl)? {
        Claim::Mine(entry) => return run(host, &entry, body, ttl, serve),
        Claim::Taken(entry) => entry,
    };
    loop {
        match postcard::from_bytes::<Progress>(&entry.value) {
            Ok(Progress::Running { body: other } | Progress::Done { body: other, .. })
                if other != body =>
            {
                return Ok(Problem::altered().into());
            }
            Ok(Progress::Done {
                status,
                content_type,
                answer,
                ..
            }) => {
                let headers = vec![("content-type", content_type)];
                return Ok(Response {
                    status,
                    headers,
                    body: answer,
                });
            }
            // An entry of another version is as good as none.
            Err(_) => return run(host, &entry, body, ttl, serve),
            Ok(Progress::Running { .. }) => {}
        }
        if host.now_ms().saturating_sub(entry.claimed_ms) >= LEASE_MS {
            let entry = ANSWERS.replace(host, &entry, &running, ttl)?;
            return run(host, &entry, body, ttl, serve);
        }
        if deadline.left(host) <= POLL {
            return Ok(Problem::still_running().into());
        }
        host.sleep(POLL);
        match ANSWERS.find(host, id)? {
            Some(found) => entry = found,
            // The first one failed and gave its claim back.
            None => match ANSWERS.claim(host, id, &running, ttl)? {
                Claim::Mine(entry) => return run(host, &entry, body, ttl, serve),
                Claim::Taken(found) => entry = found,
            },
        }
    }
}

fn run<H: Host>(
    host: &H,
    entry: &Entry,
    body: [u8; 32],
    ttl: u32,
    serve: impl FnOnce() -> Response,
) -> Result<Response, HostError> {
    let response = serve();
    let kept = if response.status >= 500 {
        ANSWERS.release(host, entry)
    } else {
        let done = Progress::Done {
            body,
            status: response.status,
            content_type: response.content_type().to_owned(),
            answer: response.body.clone(),
        };
        encode(&done).and_then(|done| ANSWERS.replace(host, entry, &done, ttl).map(|_| ()))
    };
    // The call may be placed already, so the answer goes out even if it could not be kept.
    if let Err(error) = kept {
        host.log(&format!("once: the answer could not be kept: {error}"));
    }
    Ok(response)
}

fn encode(progress: &Progress) -> Result<Vec<u8>, HostError> {
    postcard::to_allocvec(progress).map_err(|error| HostError(format!("once: {error}")))
}
