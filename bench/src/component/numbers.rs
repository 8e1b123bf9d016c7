//! What the check of a caller's number costs in a fresh instance: requests of a device whose number the plan knows, against
//! requests of one that calls with a communication profile, which is no number. Both end at the limit of calls within an
//! hour, after the number has been checked and before anybody is asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use skillcall_host::outbound::OutboundConfig;
use skillcall_host::settings::{SettingName, Settings, SettingsError};
use skillcall_host::state::{Bounds, MemoryState};
use skillcall_host::{EngineConfig, Skill};
use uuid::Uuid;

use crate::Pace;
use crate::report::{Table, count};

/// Requests of each kind.
const REQUESTS: usize = 5000;
/// 32 bytes in base64, for keys.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";
const SKILL_ID: &str = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000";
const PLAN: &str = r#"
[skill]
id = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
default-locale = "en-US"
[limits]
calls-per-hour = 1
[caller]
order = ["fixed"]
[[caller.fixed]]
device = "number"
number = "+12045550100"
[[caller.fixed]]
device = "profile"
communication-profile = "+12045550100"
[[destination]]
name = "front desk"
number = "+16075550199"
[[flow]]
number = "+16075550199"
start = "end-it"
[flow.step.end-it]
actions = [{ Type = "Hangup" }]
"#;

struct Given(BTreeMap<&'static str, Bytes>);

impl Settings for Given {
    fn get(&self, name: &SettingName) -> Result<Option<String>, SettingsError> {
        let value = self.0.get(name.as_str());
        Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
    }

    fn get_bytes(&self, name: &SettingName) -> Result<Option<Bytes>, SettingsError> {
        Ok(self.0.get(name.as_str()).cloned())
    }
}

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let requests = if pace.quick { REQUESTS / 10 } else { REQUESTS };
    runtime.block_on(measured(requests))
}

async fn measured(requests: usize) -> anyhow::Result<String> {
    let (plan, _) = skillcall_plan::compile(PLAN).map_err(|found| anyhow!("{found:?}"))?;
    let settings = Given(BTreeMap::from([
        ("plan", plan.into()),
        ("sidecar_keys", format!("bench:{SECRET}").into()),
        ("session_key", SECRET.into()),
        ("api_hosts", NOWHERE.into()),
    ]));
    let artefact = super::artefact("SKILLCALL_COMPONENT")?;
    let skill = Skill::load(
        std::path::PathBuf::from(artefact.path),
        EngineConfig::default(),
        Arc::new(MemoryState::new(Bounds::default())),
        Arc::new(settings),
        &OutboundConfig::default(),
    )?;
    // The first call fails, as nobody is there to start it; it counts all the same, and is the hour's last.
    skill.handle_trusted(&call("number")).await?;
    let mut times = BTreeMap::<&str, Vec<Duration>>::new();
    for _ in 0..requests {
        for device in ["number", "profile"] {
            let body = call(device);
            let began = Instant::now();
            let reply = skill.handle_trusted(&body).await?;
            times.entry(device).or_default().push(began.elapsed());
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            ensure!(
                reply.status == 200 && text.contains("within the last hour"),
                "{device}: {} {text}",
                reply.status
            );
        }
    }
    let mut median = |device: &str| {
        let times = times.entry(if device == "number" {
            "number"
        } else {
            "profile"
        });
        let times = times.or_default();
        times.sort_unstable();
        let middle = times.get(times.len() / 2);
        middle.map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let (number, profile) = (median("number"), median("profile"));
    let mut table = Table::new(&["a request to call, until the limit of calls", "µs"]);
    table.row(&[
        "with a number, which is checked".to_owned(),
        format!("{number:.1}"),
    ]);
    table.row(&[
        "with a communication profile, which is not".to_owned(),
        format!("{profile:.1}"),
    ]);
    table.row(&[
        "**the check**".to_owned(),
        format!("**{:.1}**", number - profile),
    ]);
    Ok(format!(
        "Medians of {} requests of each kind, the kinds taking turns, each in an instance of its own.\n\n{}",
        count(requests as u64),
        table.into_text()
    ))
}

/// A request to call the front desk.
fn call(device: &str) -> Vec<u8> {
    let application = json!({"applicationId": SKILL_ID});
    let slot = json!({"name": "destination", "value": "front desk", "confirmationStatus": "NONE"});
    json!({
        "version": "1.0",
        "context": {"System": {
            "application": application,
            "user": {"userId": "amzn1.ask.account.BENCH"},
            "device": {"deviceId": device, "supportedInterfaces": {}},
            "apiEndpoint": NOWHERE,
            "apiAccessToken": "token",
        }},
        "request": {
            "type": "IntentRequest",
            "requestId": format!("amzn1.echo-api.request.{}", Uuid::new_v4()),
            "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "locale": "en-US",
            "intent": {"name": "CallIntent", "confirmationStatus": "NONE", "slots": {"destination": slot}},
        },
    })
    .to_string()
    .into_bytes()
}
