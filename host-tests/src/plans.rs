//! Call plans and interaction models.

/// The example's plan, which `skillcall init` writes and the demo plays.
pub const EXAMPLE: &str = include_str!("../../examples/skillcall.toml");
/// The example's interaction model.
pub const MODEL_EN: &str = include_str!("../../examples/models/en-US.json");
/// The same in German.
pub const MODEL_DE: &str = include_str!("../../examples/models/de-DE.json");
/// The example's manifest.
pub const MANIFEST: &str = include_str!("../../examples/skill.json");

/// The skill's id in the example.
pub const SKILL_ID: &str = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000";
/// The skill's LWA client id in the example.
pub const LWA_CLIENT_ID: &str = "amzn1.application-oa2-client.00000000000000000000000000000000";
/// The front desk's number: a flow of each plan here answers it.
pub const DESK: &str = "+16075550199";
/// The number of the desk's phone, to which the flows bridge.
pub const PHONE: &str = "+14255550123";

/// The head of a plan: the skill and the destination "front desk".
fn head() -> String {
    format!(
        r#"
[skill]
id = "{SKILL_ID}"
lwa-client-id = "{LWA_CLIENT_ID}"
default-locale = "en-US"

[[destination]]
name = "front desk"
id = "FRONT_DESK"
number = "{DESK}"
announce = "Calling the front desk."
caller = ["profile"]

[[destination]]
name = "housekeeping"
id = "HOUSEKEEPING"
number = "{DESK}"
announce = "Calling housekeeping."
caller = ["profile"]

[[flow]]
number = "{DESK}"
"#
    )
}

/// A call to the front desk rings the phone at once.
#[must_use]
pub fn straight() -> String {
    format!(
        r#"{}
start = "ring"
[flow.step.ring]
actions = [{{ Type = "CallAndBridge", Number = "{PHONE}", CallTimeoutSeconds = 60 }}]
on-failure = "end"
"#,
        head()
    )
}

/// A greeting, a menu, a recorded call to the phone: the example's course with few words.
#[must_use]
pub fn menu() -> String {
    format!(
        r#"{}
start = "greet"
[flow.step.greet]
actions = [{{ Type = "Speak", Text = "Welcome." }}]
then = "menu"
[flow.step.menu]
actions = [{{ Type = "SpeakAndGetDigits", Text = "Press 1.", FailureText = "Sorry.", Repeat = 3 }}]
on-digits = {{ "1" = "desk" }}
on-failure = "end"
[flow.step.desk]
actions = [
    {{ Type = "StartCallRecording", Track = "BOTH", Destination = {{ Type = "S3", Location = "recordings" }} }},
    {{ Type = "CallAndBridge", Number = "{PHONE}", CallTimeoutSeconds = 60 }},
]
on-failure = "end"
"#,
        head()
    )
}
