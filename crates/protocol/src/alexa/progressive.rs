//! Progressive responses: words while the skill still works (facts A5).

use serde::{Deserialize, Serialize};

use crate::ids::RequestId;

/// The path of the directives API at the request's `apiEndpoint` (facts A5).
pub const DIRECTIVES_PATH: &str = "/v1/directives";

/// The body of a progressive response (facts A5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressiveResponse {
    /// Names the request.
    pub header: ProgressiveHeader,
    /// What is said.
    pub directive: SpeakDirective,
}

/// Names the request that is being answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressiveHeader {
    /// `request.requestId`.
    pub request_id: RequestId,
}

/// VoicePlayer.Speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeakDirective {
    /// `VoicePlayer.Speak`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Text or SSML.
    pub speech: String,
}

impl ProgressiveResponse {
    /// Says `speech`, text or SSML, while the request is being answered.
    #[must_use]
    pub fn speak(request: &RequestId, speech: impl Into<String>) -> Self {
        Self {
            header: ProgressiveHeader {
                request_id: request.clone(),
            },
            directive: SpeakDirective {
                kind: "VoicePlayer.Speak".to_owned(),
                speech: speech.into(),
            },
        }
    }
}
