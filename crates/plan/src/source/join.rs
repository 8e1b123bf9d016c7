//! What steps take from the steps that they lead to, and steps that become one.

use skillcall_protocol::sma::action::MAX_ACTIONS;

use super::flow::{CheckedStep, REPORTED_ALONE};
use crate::compiled::Next;

/// Where a step names no step for a failure or a hang-up, the one that it leads to by `then` does.
pub(super) fn inherit(steps: Vec<CheckedStep>) -> Vec<CheckedStep> {
    let found = |index: usize, of: fn(&CheckedStep) -> Option<Next>| {
        let mut at = index;
        for _ in 0..steps.len() {
            let step = steps.get(at)?;
            if let Some(next) = of(step) {
                return Some(next);
            }
            let Next::Step(then) = step.then else {
                return None;
            };
            at = usize::from(then);
        }
        None
    };
    let inherited: Vec<_> = (0..steps.len())
        .map(|n| (found(n, |s| s.on_failure), found(n, |s| s.on_hangup)))
        .collect();
    steps
        .iter()
        .zip(inherited)
        .map(|(step, (on_failure, on_hangup))| CheckedStep {
            on_failure,
            on_hangup,
            ..step.clone()
        })
        .collect()
}

/// The step with those joined to it that follow by `then` without a decision between them, as far as one reply
/// holds them. The joined step reports like its last one.
pub(super) fn join(steps: &[CheckedStep], index: usize) -> Option<CheckedStep> {
    let first = steps.get(index)?;
    let mut joined = first.clone();
    while let Next::Step(next) = joined.then {
        let next = steps.get(usize::from(next))?;
        let decides = joined.actions.iter().any(|a| {
            REPORTED_ALONE.contains(&a.action_type.as_str()) || a.action_type == "ReceiveDigits"
        }) || !joined.on_digits.is_empty();
        // An attempt's failure leads on by itself.
        if decides
            || joined.attempt != next.attempt
            || next.actions.is_empty()
            || joined.actions.is_empty()
            || next.name == first.name
            || joined.actions.len() + next.actions.len() > MAX_ACTIONS
            || joined.on_failure != next.on_failure
            || joined.on_hangup != next.on_hangup
        {
            break;
        }
        joined.actions.extend(next.actions.iter().cloned());
        joined = CheckedStep {
            name: joined.name,
            actions: joined.actions,
            ..next.clone()
        };
    }
    Some(joined)
}
