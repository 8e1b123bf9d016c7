//! Requests that come to an end at different steps: the difference of two is what lies between.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use skillcall_host::{ServeError, Skill};

use super::requests::{Batch, Signed};

/// How far a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// To an installation without settings: 503.
    Nothing,
    /// Its body is no JSON: 400.
    Unread,
    /// It is read, and too old: 400.
    Stale,
    /// It is answered without a signature, as for a host that has verified it.
    Trusted,
    /// It is verified and answered.
    Signed,
    /// The same by `wasi:http`.
    Http,
}

/// What each request took.
#[derive(Default)]
pub(super) struct Times(BTreeMap<Kind, Vec<Duration>>);

impl Times {
    fn add(&mut self, kind: Kind, began: Instant) {
        self.0.entry(kind).or_default().push(began.elapsed());
    }

    /// Requests of each kind.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).min().unwrap_or_default()
    }

    /// Half of the requests took no more, in microseconds.
    pub(super) fn median(&self, kind: Kind) -> f64 {
        self.percentile(kind, 50)
    }

    /// So many of a hundred requests took no more, in microseconds.
    pub(super) fn percentile(&self, kind: Kind, percent: usize) -> f64 {
        let mut times = self.0.get(&kind).cloned().unwrap_or_default();
        times.sort_unstable();
        let place = times.len().saturating_sub(1) * percent / 100;
        times
            .get(place)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }

    /// The medians, for the terminal.
    pub(super) fn in_words(&self) -> String {
        let words: Vec<String> = self
            .0
            .keys()
            .map(|kind| format!("{kind:?} {:.0} µs", self.median(*kind)))
            .collect();
        words.join(", ")
    }
}

/// Sends a batch, the kinds taking turns, so that what else the machine does falls on all of them alike.
pub(super) async fn run(
    empty: &Skill,
    installed: &Skill,
    batch: &Batch,
    times: &mut Times,
) -> anyhow::Result<()> {
    let requests = batch.signed.iter().zip(&batch.by_http);
    let bodies = batch.trusted.iter().zip(&batch.stale);
    for ((signed, by_http), (trusted, stale)) in requests.zip(bodies) {
        let by_http = http_request(by_http)?;

        let began = Instant::now();
        let reply = empty.handle_trusted(b"").await?;
        times.add(Kind::Nothing, began);
        expect(Kind::Nothing, reply.status, 503)?;

        let began = Instant::now();
        let reply = installed.handle_trusted(b"").await?;
        times.add(Kind::Unread, began);
        expect(Kind::Unread, reply.status, 400)?;

        let began = Instant::now();
        let reply = installed.handle_trusted(stale).await?;
        times.add(Kind::Stale, began);
        expect(Kind::Stale, reply.status, 400)?;

        let began = Instant::now();
        let reply = installed.handle_trusted(trusted).await?;
        times.add(Kind::Trusted, began);
        expect(Kind::Trusted, reply.status, 200)?;

        let began = Instant::now();
        let reply = installed.handle(&signed.headers, &signed.body).await?;
        times.add(Kind::Signed, began);
        expect(Kind::Signed, reply.status, 200)?;

        let began = Instant::now();
        let status = serve(installed, by_http).await?;
        times.add(Kind::Http, began);
        expect(Kind::Http, status, 200)?;
    }
    Ok(())
}

async fn serve(skill: &Skill, request: Request<Full<Bytes>>) -> Result<u16, ServeError> {
    let response = skill.serve(request).await?;
    let status = response.status().as_u16();
    // A body that breaks off fails no measurement: its status has been seen.
    let _ = response.into_body().collect().await;
    Ok(status)
}

fn http_request(signed: &Signed) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::post("http://127.0.0.1/alexa")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json");
    for header in &signed.headers {
        request = request.header(header.name.as_str(), header.value.as_slice());
    }
    Ok(request.body(Full::new(Bytes::from(signed.body.clone())))?)
}

/// A request that ended elsewhere than it should would measure something else.
fn expect(kind: Kind, status: u16, expected: u16) -> anyhow::Result<()> {
    ensure!(
        status == expected,
        "{kind:?} was answered {status}, not {expected}"
    );
    Ok(())
}
