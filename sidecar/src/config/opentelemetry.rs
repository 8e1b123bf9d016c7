//! `[opentelemetry]`: calls as traces for a collector.

use std::path::PathBuf;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{SidecarConfig, secrets};

/// OTLP over HTTP with JSON, as the OpenTelemetry Collector, Jaeger and others take it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct OpenTelemetryConfig {
    /// Base URL of the collector, to which `/v1/traces` is added; default: none, and nothing is sent.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub endpoint: Option<Url>,
    /// File with headers for the collector (mode 0600), one `Name: value` a line; default: none.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub headers_file: Option<PathBuf>,
    /// `service.name` of the spans; default `skillcall-sidecar`.
    pub service_name: String,
    /// Milliseconds after which spans are sent though a batch is not full, 100 to 60000; default 5000.
    pub interval_ms: u32,
    /// Spans of one request, 1 to 10000; default 512.
    pub batch: u32,
    /// Trace records that may wait for the export, 16 to 65536; default 4096. More are left out, and counted.
    pub queue: u32,
}

impl Default for OpenTelemetryConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            headers_file: None,
            service_name: "skillcall-sidecar".to_owned(),
            interval_ms: 5000,
            batch: 512,
            queue: 4096,
        }
    }
}

impl OpenTelemetryConfig {
    /// Where spans are posted; none where nothing is sent.
    pub fn traces_url(&self) -> Option<Url> {
        let mut url = self.endpoint.clone()?;
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Some(url)
    }

    /// The headers of each request.
    ///
    /// # Errors
    /// The file cannot be read, others can read it, or a line is no header; in words that hold nothing of its text.
    pub fn headers(&self, config: &SidecarConfig) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let Some(file) = &self.headers_file else {
            return Ok(headers);
        };
        let text = secrets::password(config, file).map_err(|error| error.to_string())?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pair = line.split_once(':').and_then(|(name, value)| {
                let name: HeaderName = name.trim().parse().ok()?;
                let mut value: HeaderValue = value.trim().parse().ok()?;
                value.set_sensitive(true);
                Some((name, value))
            });
            let Some((name, value)) = pair else {
                let file = config.resolve(file);
                let (file, number) = (file.display(), number + 1);
                return Err(format!("{file}: line {number} is no `Name: value`"));
            };
            headers.append(name, value);
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_the_base() {
        let of = |endpoint: &str| {
            let config = OpenTelemetryConfig {
                endpoint: Some(endpoint.parse().unwrap()),
                ..OpenTelemetryConfig::default()
            };
            config.traces_url().unwrap().to_string()
        };
        assert_eq!(
            of("http://127.0.0.1:4318"),
            "http://127.0.0.1:4318/v1/traces"
        );
        assert_eq!(
            of("https://a.example/otlp/"),
            "https://a.example/otlp/v1/traces"
        );
        assert!(OpenTelemetryConfig::default().traces_url().is_none());
    }
}
