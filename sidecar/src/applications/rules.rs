//! SIP rules that the control plane makes: which number or host leads to which applications.

use super::book::{Book, Configured, Refusal, Stamp, bad, check_name};
use super::record::{SipRule, Target, TriggerType};

/// Most SIP rules that the API makes (ours).
pub(crate) const MOST_RULES: usize = 1000;
/// Most targets of a rule (facts F3).
const MOST_TARGETS: usize = 25;

/// What a SIP rule is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewRule {
    pub(crate) name: String,
    pub(crate) disabled: bool,
    pub(crate) trigger_type: TriggerType,
    pub(crate) trigger_value: String,
    pub(crate) targets: Vec<NewTarget>,
}

/// What a rule's target is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewTarget {
    pub(crate) application: String,
    pub(crate) priority: u32,
    pub(crate) region: Option<String>,
}

/// A number or a host name as rules are found by it.
pub(crate) fn trigger_key(kind: TriggerType, value: &str) -> String {
    match kind {
        TriggerType::ToPhoneNumber => value.strip_prefix('+').unwrap_or(value).to_owned(),
        TriggerType::RequestUriHostname => value.trim_end_matches('.').to_ascii_lowercase(),
    }
}

fn check_trigger(kind: TriggerType, value: &str) -> Result<(), Refusal> {
    let fits = match kind {
        TriggerType::ToPhoneNumber => skillcall_protocol::sma::action::is_e164(value),
        TriggerType::RequestUriHostname => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            (1..=255).contains(&value.len()) && value.chars().all(plain)
        }
    };
    if fits {
        return Ok(());
    }
    let expected = match kind {
        TriggerType::ToPhoneNumber => "a number such as +14255550123",
        TriggerType::RequestUriHostname => "a host name such as abcdef.voiceconnector.chime.aws",
    };
    Err(bad(format!(
        "TriggerValue is {value:?}; expected {expected}"
    )))
}

impl Book {
    /// A rule that the API has made, to be changed.
    fn own_rule(&mut self, configured: &Configured, id: &str) -> Result<&mut SipRule, Refusal> {
        self.rule(configured, id)?;
        self.rules.get_mut(id).ok_or_else(|| {
            Refusal::Forbidden(format!(
                "{id} is the rule of an [[application]] in sidecar.toml; change its numbers there"
            ))
        })
    }

    fn targets(
        &self,
        configured: &Configured,
        targets: &[NewTarget],
    ) -> Result<Vec<Target>, Refusal> {
        if !(1..=MOST_TARGETS).contains(&targets.len()) {
            return Err(bad(format!(
                "TargetApplications has {} entries; expected 1 to {MOST_TARGETS}",
                targets.len()
            )));
        }
        let mut checked: Vec<Target> = Vec::with_capacity(targets.len());
        for target in targets {
            let application = self
                .application(configured, &target.application)
                .map_err(|refusal| bad(format!("TargetApplications: {refusal}")))?;
            if target.priority < 1 {
                return Err(bad("TargetApplications: Priority is 0; expected 1 or more"));
            }
            let region = target.region.as_ref().unwrap_or(&application.aws_region);
            if *region != application.aws_region {
                return Err(bad(format!(
                    "TargetApplications: AwsRegion is {region}, and {} is in {}",
                    target.application, application.aws_region
                )));
            }
            if checked.iter().any(|other| other.aws_region == *region) {
                return Err(bad(format!(
                    "TargetApplications: two applications in {region}; each must be in another region"
                )));
            }
            checked.push(Target {
                sip_media_application_id: target.application.clone(),
                priority: target.priority,
                aws_region: region.clone(),
            });
        }
        Ok(checked)
    }

    /// CreateSipRule.
    pub(crate) fn create_rule(
        &mut self,
        configured: &Configured,
        rule: NewRule,
        stamp: Stamp,
    ) -> Result<SipRule, Refusal> {
        check_name(&rule.name)?;
        check_trigger(rule.trigger_type, &rule.trigger_value)?;
        let target_applications = self.targets(configured, &rule.targets)?;
        let key = trigger_key(rule.trigger_type, &rule.trigger_value);
        let same = |other: &&SipRule| {
            other.trigger_type == rule.trigger_type
                && trigger_key(other.trigger_type, &other.trigger_value) == key
        };
        if let Some(other) = self.rules.values().chain(&configured.rules).find(same) {
            return Err(Refusal::Conflict(format!(
                "the SIP rule {} ({}) has this trigger already",
                other.sip_rule_id, other.name
            )));
        }
        if self.rules.len() >= MOST_RULES {
            return Err(Refusal::Limit(format!(
                "there are {MOST_RULES} SIP rules already"
            )));
        }
        let rule = SipRule {
            sip_rule_id: stamp.id.clone(),
            name: rule.name,
            disabled: rule.disabled,
            trigger_type: rule.trigger_type,
            trigger_value: rule.trigger_value,
            target_applications,
            created_timestamp: stamp.time.clone(),
            updated_timestamp: stamp.time,
        };
        self.rules.insert(stamp.id, rule.clone());
        Ok(rule)
    }

    /// UpdateSipRule: what is absent stays.
    pub(crate) fn update_rule(
        &mut self,
        configured: &Configured,
        id: &str,
        name: &str,
        disabled: Option<bool>,
        targets: Option<&[NewTarget]>,
        time: String,
    ) -> Result<SipRule, Refusal> {
        self.own_rule(configured, id)?;
        check_name(name)?;
        let targets = targets
            .map(|targets| self.targets(configured, targets))
            .transpose()?;
        let rule = self.own_rule(configured, id)?;
        name.clone_into(&mut rule.name);
        if let Some(disabled) = disabled {
            rule.disabled = disabled;
        }
        if let Some(targets) = targets {
            rule.target_applications = targets;
        }
        rule.updated_timestamp = time;
        Ok(rule.clone())
    }

    /// DeleteSipRule: only a disabled one, as at Amazon.
    pub(crate) fn delete_rule(&mut self, configured: &Configured, id: &str) -> Result<(), Refusal> {
        let rule = self.own_rule(configured, id)?;
        if !rule.disabled {
            return Err(Refusal::Conflict(format!(
                "the SIP rule {id} is enabled; disable it first"
            )));
        }
        self.rules.remove(id);
        Ok(())
    }
}
