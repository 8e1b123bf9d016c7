//! Each flow, run symbolically: which steps are reached, and from which there is no way out.

use std::ops::Range;

use super::finding::Findings;
use super::flow::CheckedStep;
use super::kinds::PART;
use crate::compiled::Next;

/// Reports steps that no way leads to, and those that no way leads out of. `spans` are the steps' places in the plan.
pub(super) fn check(
    steps: &[CheckedStep],
    start: u16,
    spans: &[Range<usize>],
    place: &str,
    findings: &mut Findings<'_>,
) {
    let reached = reached(steps, start);
    let leaving = leaving(steps);
    for (index, step) in steps.iter().enumerate() {
        let span = spans.get(index).cloned().unwrap_or(0..0);
        let place = format!("{place}.step.{}", step.name);
        let is = |set: &[bool]| set.get(index).copied().unwrap_or(false);
        // What was made of a step is told of with it.
        if step.name.contains(PART) {
            continue;
        }
        if !is(&reached) {
            findings.warning(&span, place, "nothing leads to this step");
        } else if !is(&leaving) {
            findings.warning(
                &span,
                place,
                "no way leads out of here: each key and each failure comes back; expected one that leads to `end`, `stay`, or a step that ends the call",
            );
        }
    }
}

/// All that may follow a step. A step without `on-failure` ends with an apology.
fn follows(step: &CheckedStep) -> Vec<Next> {
    let mut all = Vec::new();
    if let Some((_, open, closed)) = step.by_hours {
        return vec![open, closed];
    }
    let decides = !step.on_digits.is_empty() || step.on_other_digits.is_some();
    if !decides || !step.collects_digits() {
        all.push(step.then);
    }
    all.extend(step.on_digits.iter().map(|(_, next)| *next));
    all.extend(step.on_other_digits);
    all.push(step.on_failure.unwrap_or(Next::End));
    all.extend(step.on_hangup);
    all
}

fn reached(steps: &[CheckedStep], start: u16) -> Vec<bool> {
    let mut reached = vec![false; steps.len()];
    let mut open = vec![usize::from(start)];
    while let Some(index) = open.pop() {
        let Some(mark) = reached.get_mut(index) else {
            continue;
        };
        if std::mem::replace(mark, true) {
            continue;
        }
        for next in steps.get(index).map(follows).unwrap_or_default() {
            if let Next::Step(next) = next {
                open.push(usize::from(next));
            }
        }
    }
    reached
}

/// The steps from which some way ends the call, leaves it as it is, or hands it over.
fn leaving(steps: &[CheckedStep]) -> Vec<bool> {
    let ends = |step: &CheckedStep| {
        step.hand_over.is_some()
            || step.hangs_up()
            || follows(step)
                .iter()
                .any(|next| matches!(next, Next::End | Next::Stay))
    };
    let mut leaving: Vec<bool> = steps.iter().map(ends).collect();
    loop {
        let mut changed = false;
        for (index, step) in steps.iter().enumerate() {
            let leads_out = follows(step).iter().any(|next| match next {
                Next::Step(next) => leaving.get(usize::from(*next)).copied().unwrap_or(false),
                Next::End | Next::Stay => true,
            });
            if let Some(mark) = leaving.get_mut(index).filter(|mark| !**mark && leads_out) {
                *mark = true;
                changed = true;
            }
        }
        if !changed {
            return leaving;
        }
    }
}
