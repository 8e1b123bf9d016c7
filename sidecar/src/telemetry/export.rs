//! Batches on their way to the collector (OTLP/HTTP): repeated where the protocol says so, given up after a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use skillcall_protocol::trace::Record;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use url::Url;

use super::assembly::Assembly;
use super::otlp;
use super::span::Span;
use crate::config::OpenTelemetryConfig;
use crate::figures::Figures;

/// What a collector has for one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Attempts at one batch, and the wait after the first; it doubles.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait that a collector may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often it is looked which calls are over.
const LOOK: Duration = Duration::from_millis(500);
/// An answer longer than this is not read.
const LONGEST_ANSWER: usize = 64 * 1024;

pub(super) struct Exporter {
    endpoint: Url,
    client: reqwest::Client,
    settings: OpenTelemetryConfig,
    figures: Arc<Figures>,
    assembly: Assembly,
    waiting: Vec<Span>,
    complained: bool,
}

/// What came of posting a batch once.
enum Posted {
    Taken,
    /// Again, after so long if the collector says it.
    Again(Option<Duration>, String),
    Refused(String),
}

impl Exporter {
    pub(super) fn new(
        endpoint: Url,
        headers: HeaderMap,
        settings: OpenTelemetryConfig,
        figures: Arc<Figures>,
    ) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build()?;
        Ok(Self {
            endpoint,
            client,
            settings,
            figures,
            assembly: Assembly::new(rand::random()),
            waiting: Vec::new(),
            complained: false,
        })
    }

    /// Takes records until nobody sends any more, and posts what is left.
    pub(super) async fn run(mut self, mut records: mpsc::Receiver<Record>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let pause = Duration::from_millis(self.settings.interval_ms.into());
        let mut posted = Instant::now();
        loop {
            tokio::select! {
                record = records.recv() => match record {
                    Some(record) => {
                        let spans = self.assembly.take(&record, Instant::now());
                        self.waiting.extend(spans);
                    }
                    None => break,
                },
                _ = look.tick() => {
                    let spans = self.assembly.over(Instant::now());
                    self.waiting.extend(spans);
                }
            }
            let full = self.waiting.len() >= self.settings.batch as usize;
            if full || (!self.waiting.is_empty() && posted.elapsed() >= pause) {
                self.post_all(ATTEMPTS).await;
                posted = Instant::now();
            }
        }
        let last = self.assembly.all();
        self.waiting.extend(last);
        // Whoever ends does not wait for a collector that is away.
        self.post_all(1).await;
    }

    async fn post_all(&mut self, attempts: u32) {
        let spans = std::mem::take(&mut self.waiting);
        for batch in spans.chunks(self.settings.batch.max(1) as usize) {
            self.post(batch, attempts).await;
        }
    }

    async fn post(&mut self, batch: &[Span], attempts: u32) {
        let body = otlp::request(&self.settings.service_name, batch).to_string();
        let mut wait = FIRST_WAIT;
        let mut problem = String::new();
        for attempt in 1..=attempts {
            match self.post_once(body.clone()).await {
                Posted::Taken => {
                    self.complained = false;
                    let count = batch.len() as u64;
                    self.figures
                        .spans_exported
                        .fetch_add(count, Ordering::Relaxed);
                    return;
                }
                Posted::Refused(why) => {
                    problem = why;
                    break;
                }
                Posted::Again(asked, why) => {
                    problem = why;
                    if attempt < attempts {
                        tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
                        wait *= 2;
                    }
                }
            }
        }
        let count = batch.len() as u64;
        self.figures
            .spans_dropped
            .fetch_add(count, Ordering::Relaxed);
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(spans = count, problem, "the collector does not take spans");
        }
    }

    async fn post_once(&self, body: String) -> Posted {
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let answer = match request.send().await {
            Ok(answer) => answer,
            // The address may hold credentials.
            Err(error) => return Posted::Again(None, error.without_url().to_string()),
        };
        let status = answer.status();
        if status.is_success() {
            let small = answer
                .content_length()
                .is_none_or(|len| len <= LONGEST_ANSWER as u64);
            if small
                && let Ok(bytes) = answer.bytes().await
                && let Some((count, why)) = otlp::rejected(&bytes)
            {
                self.figures
                    .spans_dropped
                    .fetch_add(count, Ordering::Relaxed);
                tracing::warn!(spans = count, why, "the collector has rejected spans");
            }
            return Posted::Taken;
        }
        let problem = format!("HTTP {status}");
        // OTLP/HTTP, "Retryable Response Codes".
        if matches!(status.as_u16(), 429 | 502 | 503 | 504) {
            let wait = answer.headers().get(RETRY_AFTER);
            let seconds = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
            return Posted::Again(seconds.map(Duration::from_secs), problem);
        }
        Posted::Refused(problem)
    }
}
