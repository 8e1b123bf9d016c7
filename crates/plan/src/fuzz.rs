//! What the fuzz targets run: any bytes are decoded and then used, and nothing may panic.

use std::borrow::Cow;

use crate::compiled::{Asking, FORMAT, MAGIC, Place, Plan};

/// Decodes `data` as a plan, as it is and behind a right header, and reaches each part of it.
pub fn compiled_plan(data: &[u8]) {
    visit(data);
    let mut headed = Vec::with_capacity(data.len() + 5);
    headed.extend_from_slice(MAGIC);
    headed.push(FORMAT);
    headed.extend_from_slice(data);
    visit(&headed);
}

/// Reads `data` as a plan in TOML: what is accepted can be decoded and reached in each part, and what is refused is
/// refused for a reason that has a place in the text.
///
/// # Panics
/// When one of this does not hold.
#[cfg(feature = "source")]
pub fn source(data: &[u8]) {
    let Ok(toml) = std::str::from_utf8(data) else {
        return;
    };
    let findings = match crate::compile(toml) {
        Ok((bytes, warnings)) => {
            assert!(
                Plan::decode(&bytes).is_ok(),
                "what was compiled cannot be decoded"
            );
            visit(&bytes);
            warnings
        }
        Err(findings) => {
            let error = |f: &crate::Finding| f.severity == crate::Severity::Error;
            assert!(findings.iter().any(error), "refused without an error");
            findings
        }
    };
    let lines = toml.split('\n').count();
    for finding in findings {
        assert!((1..=lines).contains(&finding.line), "{finding}");
        assert!(finding.column >= 1 && !finding.message.is_empty());
    }
}

fn visit(data: &[u8]) {
    let Ok(plan) = Plan::decode(data) else { return };
    let _ = plan.destination_named("front desk");
    let _ = plan.destination_with_id("front-desk");
    for index in 0..plan.destination_count().min(64) {
        let _ = plan.destination(index);
        let _ = plan.allows(&Asking::default(), index);
    }
    for place in 0..8 {
        let _ = plan.is_open(Some(place), 1_800_000_000);
        let _ = plan.next_opening(Some(place), 1_800_000_000);
    }
    let _ = plan
        .callers()
        .map(|callers| callers.at([Place::Device("d"), Place::Unit("u")]));
    let _ = plan.call_intent("CallIntent");
    for number in plan.flow_numbers() {
        let Ok(Some(flow)) = plan.flow(number) else {
            continue;
        };
        for step in &flow.steps {
            for action in &step.actions {
                let _ = action
                    .template("de-DE")
                    .map(|t| t.render_json(|_| Cow::Borrowed("\"\n")));
            }
        }
        let _ = flow.step(flow.start);
    }
    for key in crate::TextKey::ALL {
        let _ = plan.text("de-AT", *key);
    }
}
