//! Sends a signed request to the skill and brings its answer.

use std::time::{Duration, Instant};

use super::{Expected, MAX_REPLY, Reply, ReplyProblem, read};

/// What is read of an answer that is too long, so that a skill cannot fill the memory.
const READ_AT_MOST: usize = MAX_REPLY + 1;

/// Why there is no answer that Alexa can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SkillFailure {
    #[error("the skill did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the skill cannot be reached: {0}")]
    Unreachable(String),
    #[error("the skill answered with status {0}; expected 200")]
    Status(u16),
    #[error("the skill's answer cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<ReplyProblem>),
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
    pub(crate) reply: Result<Reply, SkillFailure>,
}

/// The way to the skill.
#[derive(Debug, Clone)]
pub(crate) struct SkillClient {
    http: reqwest::Client,
    limit: Duration,
}

impl SkillClient {
    pub(crate) fn new(limit: Duration) -> Result<Self, reqwest::Error> {
        // Alexa follows no redirect, and a proxy of this machine is no part of Alexa.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("skillcall-simulator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, limit })
    }

    /// Posts a body. `headers`: those of the signature that shall be sent. There is no `traceparent` among them, as Alexa
    /// sends none.
    pub(crate) async fn post(
        &self,
        endpoint: &str,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
        expected: Expected,
    ) -> Answer {
        let begun = Instant::now();
        let mut request = self
            .http
            .post(endpoint)
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Accept", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let exchange = async {
            let mut response = request.body(body).send().await?;
            let status = response.status().as_u16();
            let content_type = response
                .headers()
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() >= READ_AT_MOST {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, content_type, bytes))
        };
        let (status, body, reply) = match tokio::time::timeout(self.limit, exchange).await {
            Err(_) => (0, Vec::new(), Err(SkillFailure::TimedOut(self.limit))),
            Ok(Err(error)) => (0, Vec::new(), Err(SkillFailure::Unreachable(chain(&error)))),
            Ok(Ok((200, content_type, body))) => {
                let reply =
                    read(content_type.as_deref(), &body, expected).map_err(SkillFailure::Invalid);
                (200, body, reply)
            }
            Ok(Ok((status, _, body))) => (status, body, Err(SkillFailure::Status(status))),
        };
        Answer {
            status,
            body,
            took: begun.elapsed(),
            reply,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
