//! Speech to text over HTTP, in the request shape of OpenAI's `/v1/audio/transcriptions`.

use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use skillcall_media::wav;
use url::Url;

use crate::config::RecognizerConfig;

/// A speech recogniser.
pub(super) struct Recognizer {
    url: Url,
    model: String,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Transcription {
    text: String,
}

impl Recognizer {
    /// The one of the configuration, if there is one.
    pub(super) fn new(config: &RecognizerConfig, key: Option<String>) -> Option<Self> {
        Some(Self {
            url: config.url.clone()?,
            model: config.model.clone(),
            key,
        })
    }

    /// What was said.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn text(
        &self,
        client: &Client,
        limit: Duration,
        audio: &[i16],
        locale: &str,
    ) -> Result<String, String> {
        let wav = wav::to_bytes(audio, 1).map_err(|error| error.to_string())?;
        let language = locale.split(['_', '-']).next().unwrap_or_default();
        let boundary = format!("skillcall-{}", hex::encode(rand::random::<[u8; 16]>()));
        let fields = [
            ("model", self.model.as_str()),
            ("language", language),
            ("response_format", "json"),
        ];
        let mut request = client
            .post(self.url.clone())
            .timeout(limit)
            .header(
                "content-type",
                format!("multipart/form-data; boundary={boundary}"),
            )
            .body(form(&boundary, &fields, &wav));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.map_err(|error| super::told(&error))?;
        let status = response.status();
        let body = super::body(response)
            .await
            .map_err(|failure| failure.message)?;
        if !status.is_success() {
            let detail: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            return Err(format!("status {}: {detail}", status.as_u16()));
        }
        let transcription: Transcription = serde_json::from_slice(&body)
            .map_err(|error| format!("its answer is no {{\"text\"}}: {error}"))?;
        Ok(transcription.text)
    }
}

/// A form of texts and one file (RFC 7578).
fn form(boundary: &str, fields: &[(&str, &str)], wav: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(wav.len() + 1024);
    for (name, value) in fields {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        form.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"utterance.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    );
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(wav);
    form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    form
}
