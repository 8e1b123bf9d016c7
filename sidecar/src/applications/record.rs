//! What the control plane makes, in Amazon's shapes (facts F10, D6; the service model of chime-sdk-voice).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A SIP media application, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SipMediaApplication {
    /// Its id: a UUID, or the id of an `[[application]]`.
    pub(crate) sip_media_application_id: String,
    /// `AwsRegion`.
    pub(crate) aws_region: String,
    /// `Name`.
    pub(crate) name: String,
    /// `Endpoints`: exactly one.
    pub(crate) endpoints: Vec<Endpoint>,
    /// When it was made, ISO 8601.
    pub(crate) created_timestamp: String,
    /// When it was changed last, ISO 8601.
    pub(crate) updated_timestamp: String,
    /// Its ARN.
    pub(crate) sip_media_application_arn: String,
}

/// Who decides an application's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Endpoint {
    /// The ARN of a Lambda function; for an `[[application]]` its handler's URL.
    pub(crate) lambda_arn: String,
}

/// A SIP rule, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SipRule {
    /// Its id.
    pub(crate) sip_rule_id: String,
    /// `Name`.
    pub(crate) name: String,
    /// Whether no call comes by it.
    pub(crate) disabled: bool,
    /// What `trigger_value` is.
    pub(crate) trigger_type: TriggerType,
    /// The called number, or the host of the Request-URI.
    pub(crate) trigger_value: String,
    /// Who takes its calls; the lowest priority is asked first.
    pub(crate) target_applications: Vec<Target>,
    /// When it was made, ISO 8601.
    pub(crate) created_timestamp: String,
    /// When it was changed last, ISO 8601.
    pub(crate) updated_timestamp: String,
}

/// What leads a call to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum TriggerType {
    /// The called number.
    ToPhoneNumber,
    /// The host of the Request-URI.
    RequestUriHostname,
}

/// One of a rule's applications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Target {
    /// Which one.
    pub(crate) sip_media_application_id: String,
    /// 1 or more; the lowest first.
    pub(crate) priority: u32,
    /// The application's region.
    pub(crate) aws_region: String,
}

/// What is set for an application beside its handler.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Settings {
    /// Its logging configuration, once it was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logging: Option<Logging>,
    /// Its Alexa skill configuration, once it was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alexa_skill: Option<AlexaSkill>,
    /// Its tags, as they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<Value>,
}

/// `SipMediaApplicationLoggingConfiguration`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Logging {
    /// Whether every call is traced.
    pub(crate) enable_sip_media_application_message_logs: bool,
}

/// `SipMediaApplicationAlexaSkillConfiguration` (facts D6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlexaSkill {
    /// Whether the skill may call.
    pub(crate) alexa_skill_status: AlexaSkillStatus,
    /// Exactly one client id of a skill.
    pub(crate) alexa_skill_ids: Vec<String>,
}

/// Whether a skill may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum AlexaSkillStatus {
    /// It may.
    Active,
    /// It may not.
    Inactive,
}

impl AlexaSkill {
    /// Whether the skill with this client id may call.
    pub(crate) fn allows(&self, client_id: &str) -> bool {
        self.alexa_skill_status == AlexaSkillStatus::Active
            && self.alexa_skill_ids.iter().any(|id| id == client_id)
    }
}
