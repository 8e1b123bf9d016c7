//! The plan as people write it: TOML, read with the place of each value, checked, compiled.
//!
//! ```
//! let toml = r#"
//! [skill]
//! id = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
//!
//! [[destination]]
//! name = "front desk"
//! number = "+16075550199"
//!
//! [[flow]]
//! number = "+16075550199"
//! start = "greet"
//! step.greet.actions = [{ Type = "Speak", Text = "Welcome." }]
//! "#;
//! let (bytes, warnings) = skillcall_plan::compile(toml).expect("a right plan");
//! assert!(warnings.is_empty());
//! let plan = skillcall_plan::Plan::decode(&bytes).expect("what was just compiled");
//! assert_eq!(plan.destination_named("Front desk")?.map(|d| d.number()), Some("+16075550199"));
//! # Ok::<(), skillcall_plan::DecodeError>(())
//! ```

mod action;
mod caller;
mod check;
mod destination;
mod emit;
mod finding;
mod flow;
mod hours;
mod join;
mod kinds;
mod locale;
mod number;
mod rules;
mod schema;
mod shape;
mod speech;
mod step;
mod walk;
mod words;

pub use finding::{Finding, Severity};
pub use schema::json_schema;
pub use shape::{
    AccountLink, Caller, Destination, Dial, FixedCaller, Flow, HandOver, Hours, Intent, Limits,
    Locale, Menu, Music, Permission, Skill, Source, Step, Voicemail, WhenOpen,
};

use finding::Findings;

/// `communicationProviderId` of skill calling (facts D1).
pub const COMMUNICATION_PROVIDER_ID: &str =
    "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002";

/// Reads, checks and compiles a plan. Beside the compiled plan come warnings: what is allowed but hardly meant.
///
/// # Errors
/// All findings, with at least one error among them, in the order of their places.
pub fn compile(toml: &str) -> Result<(Vec<u8>, Vec<Finding>), Vec<Finding>> {
    let (compiled, findings) = check_and_compile(toml);
    match compiled {
        Some(bytes) => Ok((bytes, findings)),
        None => Err(findings),
    }
}

/// Reads and checks a plan. No finding is an error when the plan can be compiled.
#[must_use]
pub fn check(toml: &str) -> Vec<Finding> {
    check_and_compile(toml).1
}

fn check_and_compile(toml: &str) -> (Option<Vec<u8>>, Vec<Finding>) {
    let mut findings = Findings::new(toml);
    let source = match toml::from_str::<Source>(toml) {
        Ok(source) => source,
        Err(error) => {
            findings.toml(&error);
            return (None, findings.sorted());
        }
    };
    let checked = check::check(&source, &mut findings);
    if findings.has_errors() {
        return (None, findings.sorted());
    }
    let bytes = emit::emit(&checked, &mut findings);
    if findings.has_errors() {
        return (None, findings.sorted());
    }
    (bytes, findings.sorted())
}

#[cfg(test)]
mod tests;
