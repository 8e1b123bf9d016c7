//! The Lambda runtime API, version 2018-06-01: the next invocation is asked for, and its answer posted.

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use skillcall_host::Skill;

const ID: &str = "lambda-runtime-aws-request-id";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// A client of the runtime API.
pub(crate) struct Runtime {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Runtime {
    /// `api` is host and port, as `AWS_LAMBDA_RUNTIME_API` has them.
    pub(crate) fn new(api: &str) -> Self {
        Self {
            base: format!("http://{api}/2018-06-01/runtime"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Serves one invocation after the other, as Lambda wants it, until the API cannot be reached.
    pub(crate) async fn serve(&self, skill: &Skill) -> anyhow::Result<()> {
        loop {
            let next = self.send(Method::GET, "/invocation/next", None, "").await?;
            ensure!(next.status().is_success(), "next: {}", next.status());
            let id = next.headers().get(ID).context("an invocation without id")?;
            let id = id.to_str().context("an invocation's id")?.to_owned();
            let event = next.into_body().collect().await?.to_bytes();
            self.answer(skill, &id, &event).await?;
        }
    }

    async fn answer(&self, skill: &Skill, id: &str, event: &[u8]) -> anyhow::Result<()> {
        let (path, kind, body) = match skill.handle_trusted(event).await {
            Ok(reply) if reply.status == 200 => ("response", None, reply.body),
            // Alexa gets an error, as it would by HTTPS.
            Ok(reply) => {
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                (
                    "error",
                    Some("Skill.Refused"),
                    described("Skill.Refused", &text),
                )
            }
            Err(error) => {
                let text = error.to_string();
                (
                    "error",
                    Some("Skill.Failed"),
                    described("Skill.Failed", &text),
                )
            }
        };
        let path = format!("/invocation/{id}/{path}");
        self.post(&path, kind.unwrap_or_default(), body).await
    }

    /// Tells Lambda that the function did not start.
    pub(crate) async fn not_started(&self, why: &str) -> anyhow::Result<()> {
        let kind = "Runtime.NotStarted";
        self.post("/init/error", kind, described(kind, why)).await
    }

    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let taken = self.send(Method::POST, path, Some(body), kind).await?;
        ensure!(taken.status() == 202, "{path}: {}", taken.status());
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        error_type: &str,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if !error_type.is_empty() {
            request = request.header(ERROR_TYPE, error_type);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let sent = self.client.request(request.body(body)?).await;
        sent.with_context(|| format!("the runtime API: {path}"))
    }
}

fn described(kind: &str, text: &str) -> Vec<u8> {
    json!({"errorMessage": text, "errorType": kind, "stackTrace": []})
        .to_string()
        .into_bytes()
}
