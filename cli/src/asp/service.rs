//! The services, with a token of Login with Amazon.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::Value;
use skillcall_protocol::lwa::{FORM, Grant, TokenAnswer, TokenError};
use skillcall_protocol::provisioning::SCOPE;

use super::file::{Api, Login};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The services. Its token is never printed.
pub(super) struct Service {
    http: reqwest::Client,
    origin: String,
    token: String,
}

impl Service {
    /// Asks for a token: by the refresh token, else by the client's own credentials for the scope of provisioning.
    pub(super) async fn connect(login: &Login, api: &Api) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LIMIT)
            .build()
            .context("HTTP client")?;
        let grant = match &login.refresh_token {
            Some(token) => Grant::RefreshToken(token),
            None => Grant::ClientCredentials(SCOPE),
        };
        let reply = http
            .post(&login.url)
            .header("content-type", FORM)
            .body(grant.form(&login.client_id, &login.secret))
            .send()
            .await
            .with_context(|| format!("Login with Amazon at {}", login.url))?;
        let (status, body) = (reply.status(), reply.bytes().await?);
        if !status.is_success() {
            let code = TokenError::read(&body).code;
            bail!(
                "Login with Amazon gave no token by {}: {status} {}",
                grant.name(),
                code.as_str()
            );
        }
        // The reader's error could repeat what it read.
        let Ok(answer) = serde_json::from_slice::<TokenAnswer>(&body) else {
            bail!("Login with Amazon's answer holds no token");
        };
        Ok(Self {
            http,
            origin: api.endpoint.trim_end_matches('/').to_owned(),
            token: answer.access_token.expose().to_owned(),
        })
    }

    /// One request; none when there is nothing (404).
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let (status, body) = self.send(Method::GET, path, None).await?;
        match status {
            404 => Ok(None),
            200..=299 => Ok(Some(body)),
            _ => bail!(refused("GET", path, status, &body)),
        }
    }

    /// A request that must succeed.
    pub(super) async fn done(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let name = method.to_string();
        let (status, answer) = self.send(method, path, Some(body)).await?;
        if !(200..300).contains(&status) {
            bail!(refused(&name, path, status, &answer));
        }
        Ok(answer)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let what = format!("{method} {}{path}", self.origin);
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.origin))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.with_context(|| what.clone())?;
        let status = reply.status().as_u16();
        let body = reply.bytes().await.with_context(|| what)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

fn refused(method: &str, path: &str, status: u16, body: &Value) -> String {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{method} {path} was refused with {status} {} {}",
        text("code"),
        text("message")
    )
    .trim_end()
    .to_owned()
}
