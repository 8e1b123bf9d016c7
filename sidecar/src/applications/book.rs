//! What the control plane has made: the rules of Amazon's API, without any I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{AlexaSkill, Endpoint, Logging, Settings, SipMediaApplication, SipRule};
use crate::config::lambda_account;

/// Most SIP media applications that the API makes (ours).
pub(crate) const MOST_APPLICATIONS: usize = 1000;
/// Longest name.
const LONGEST_NAME: usize = 256;

/// Why the API refuses a change, by the name that Amazon's has for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// BadRequestException.
    #[error("{0}")]
    BadRequest(String),
    /// NotFoundException.
    #[error("{0}")]
    NotFound(String),
    /// ConflictException.
    #[error("{0}")]
    Conflict(String),
    /// ForbiddenException: it stands in the configuration file.
    #[error("{0}")]
    Forbidden(String),
    /// ResourceLimitExceededException.
    #[error("{0}")]
    Limit(String),
    /// ServiceFailureException: the change could not be kept.
    #[error("{0}")]
    NotKept(String),
}

/// A new application or rule: its id and the time.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    /// A new id.
    pub(crate) id: String,
    /// Now, ISO 8601.
    pub(crate) time: String,
}

/// What stands in the configuration file: known to the API, and not to be changed by it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Configured {
    /// SIP media applications.
    pub(crate) applications: Vec<SipMediaApplication>,
    /// The rules that lead to them, one for each number.
    pub(crate) rules: Vec<SipRule>,
    /// The functions that have a handler.
    pub(crate) functions: Vec<String>,
}

/// Everything that the API has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Book {
    /// SIP media applications by id.
    pub(crate) applications: BTreeMap<String, SipMediaApplication>,
    /// SIP rules by id.
    pub(crate) rules: BTreeMap<String, SipRule>,
    /// What is set for applications, those of the configuration file too.
    pub(crate) settings: BTreeMap<String, Settings>,
}

pub(super) fn bad(told: impl Into<String>) -> Refusal {
    Refusal::BadRequest(told.into())
}

/// `[a-zA-Z0-9 _.-]+`, 1 to 256 characters.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.-".contains(c);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain) {
        Ok(())
    } else {
        Err(bad(format!(
            "Name is {name:?}; expected 1 to {LONGEST_NAME} letters, digits, spaces, _, . and -"
        )))
    }
}

impl Book {
    /// An application's id, checked.
    pub(crate) fn application<'a>(
        &'a self,
        configured: &'a Configured,
        id: &str,
    ) -> Result<&'a SipMediaApplication, Refusal> {
        let stands = || {
            configured
                .applications
                .iter()
                .find(|application| application.sip_media_application_id == id)
        };
        self.applications
            .get(id)
            .or_else(stands)
            .ok_or_else(|| Refusal::NotFound(format!("no SIP media application has the id {id}")))
    }

    /// A rule by its id.
    pub(crate) fn rule<'a>(
        &'a self,
        configured: &'a Configured,
        id: &str,
    ) -> Result<&'a SipRule, Refusal> {
        let stands = || configured.rules.iter().find(|rule| rule.sip_rule_id == id);
        self.rules
            .get(id)
            .or_else(stands)
            .ok_or_else(|| Refusal::NotFound(format!("no SIP rule has the id {id}")))
    }

    fn own_application(
        &mut self,
        configured: &Configured,
        id: &str,
    ) -> Result<&mut SipMediaApplication, Refusal> {
        self.application(configured, id)?;
        self.applications.get_mut(id).ok_or_else(|| {
            Refusal::Forbidden(format!(
                "{id} stands in sidecar.toml as [[application]]; change it there"
            ))
        })
    }

    fn endpoint(configured: &Configured, arns: &[String]) -> Result<Vec<Endpoint>, Refusal> {
        let [arn] = arns else {
            return Err(bad(format!(
                "Endpoints has {} entries; expected exactly one {{LambdaArn}}",
                arns.len()
            )));
        };
        if lambda_account(arn).is_none() {
            return Err(bad(format!(
                "LambdaArn is {arn:?}; expected one such as arn:aws:lambda:us-east-1:111122223333:function:my-sma"
            )));
        }
        if !configured.functions.iter().any(|known| known == arn) {
            return Err(bad(format!(
                "LambdaArn {arn} has no handler; name it as a [[lambda]] in sidecar.toml"
            )));
        }
        Ok(vec![Endpoint {
            lambda_arn: arn.clone(),
        }])
    }

    /// CreateSipMediaApplication.
    pub(crate) fn create_application(
        &mut self,
        configured: &Configured,
        region: &str,
        name: &str,
        arns: &[String],
        tags: Vec<Value>,
        stamp: Stamp,
    ) -> Result<SipMediaApplication, Refusal> {
        check_name(name)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(1..=64).contains(&region.len()) || !region.chars().all(plain) {
            return Err(bad(format!(
                "AwsRegion is {region:?}; expected one such as us-east-1"
            )));
        }
        let endpoints = Self::endpoint(configured, arns)?;
        if self.applications.len() >= MOST_APPLICATIONS {
            return Err(Refusal::Limit(format!(
                "there are {MOST_APPLICATIONS} SIP media applications already"
            )));
        }
        let account = arns
            .first()
            .and_then(|arn| lambda_account(arn))
            .unwrap_or_default();
        let application = SipMediaApplication {
            sip_media_application_arn: format!("arn:aws:chime:{region}:{account}:sma/{}", stamp.id),
            sip_media_application_id: stamp.id.clone(),
            aws_region: region.to_owned(),
            name: name.to_owned(),
            endpoints,
            created_timestamp: stamp.time.clone(),
            updated_timestamp: stamp.time,
        };
        if !tags.is_empty() {
            self.settings.entry(stamp.id.clone()).or_default().tags = tags;
        }
        self.applications.insert(stamp.id, application.clone());
        Ok(application)
    }

    /// UpdateSipMediaApplication: what is absent stays.
    pub(crate) fn update_application(
        &mut self,
        configured: &Configured,
        id: &str,
        name: Option<&str>,
        arns: Option<&[String]>,
        time: String,
    ) -> Result<SipMediaApplication, Refusal> {
        name.map(check_name).transpose()?;
        let endpoints = arns
            .map(|arns| Self::endpoint(configured, arns))
            .transpose()?;
        let application = self.own_application(configured, id)?;
        if let Some(name) = name {
            name.clone_into(&mut application.name);
        }
        if let Some(endpoints) = endpoints {
            application.endpoints = endpoints;
        }
        application.updated_timestamp = time;
        Ok(application.clone())
    }

    /// DeleteSipMediaApplication: refused while a rule leads to it.
    pub(crate) fn delete_application(
        &mut self,
        configured: &Configured,
        id: &str,
    ) -> Result<(), Refusal> {
        self.own_application(configured, id)?;
        let leads = |rule: &&SipRule| {
            rule.target_applications
                .iter()
                .any(|target| target.sip_media_application_id == id)
        };
        if let Some(rule) = self.rules.values().find(leads) {
            return Err(Refusal::Conflict(format!(
                "the SIP rule {} ({}) leads to {id}; delete it first",
                rule.sip_rule_id, rule.name
            )));
        }
        self.applications.remove(id);
        self.settings.remove(id);
        Ok(())
    }

    /// Puts an application's logging configuration.
    pub(crate) fn put_logging(
        &mut self,
        configured: &Configured,
        id: &str,
        logging: Logging,
    ) -> Result<(), Refusal> {
        self.application(configured, id)?;
        self.settings.entry(id.to_owned()).or_default().logging = Some(logging);
        Ok(())
    }

    /// Puts an application's Alexa skill configuration (facts D6).
    pub(crate) fn put_alexa_skill(
        &mut self,
        configured: &Configured,
        id: &str,
        skill: AlexaSkill,
    ) -> Result<(), Refusal> {
        self.application(configured, id)?;
        let is_client_id = |id: &String| {
            id.strip_prefix("amzn1.application-oa2-client.")
                .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if !matches!(skill.alexa_skill_ids.as_slice(), [id] if is_client_id(id)) {
            return Err(bad(
                "AlexaSkillIds is not exactly one id of the form amzn1.application-oa2-client. and 32 hexadecimal digits",
            ));
        }
        self.settings.entry(id.to_owned()).or_default().alexa_skill = Some(skill);
        Ok(())
    }

    /// What is set for an application.
    pub(crate) fn settings(&self, id: &str) -> Settings {
        self.settings.get(id).cloned().unwrap_or_default()
    }
}
