//! The ladder diagram, as SVG: a lane a party, an arrow a message.

use std::fmt::Write as _;

use skillcall_protocol::trace::{Level, Message, Party, Protocol, StepKind, Trace};

use super::escape;
use crate::trace::story;

/// Width of a lane, in pixels.
const LANE: usize = 206;
/// Left margin, for the times.
const MARGIN: usize = 90;
/// Height of a rung.
const RUNG: usize = 34;
/// The most characters of a label.
const LONGEST: usize = 64;
/// How many of them are the label's end when it is shortened.
const KEPT_END: usize = 12;
/// Where the first rung is.
const TOP: usize = 44;

/// Draws the ladder.
pub(super) fn ladder(trace: &Trace) -> String {
    let lanes = trace.lanes();
    let steps: Vec<_> = trace
        .ladder()
        .into_iter()
        .filter(|step| !matches!(step.kind, StepKind::Media(_)))
        .collect();
    let x = |party: &Party| {
        let lane = lanes.iter().position(|lane| *lane == party).unwrap_or(0);
        MARGIN + LANE / 2 + lane * LANE
    };
    let width = MARGIN + LANE * lanes.len().max(1);
    let height = TOP + RUNG * steps.len() + 20;
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Ladder diagram of the call\">"
    );
    for lane in &lanes {
        let x = x(lane);
        let _ = write!(
            svg,
            "<line class=\"lane\" x1=\"{x}\" x2=\"{x}\" y1=\"28\" y2=\"{}\"/><text class=\"head\" x=\"{x}\" y=\"18\" text-anchor=\"middle\">{}</text>",
            height - 10,
            escape(lane.name())
        );
    }
    for (index, step) in steps.iter().enumerate() {
        let y = TOP + RUNG * index + 16;
        let _ = write!(
            svg,
            "<text class=\"soft\" x=\"8\" y=\"{y}\">{:.3} s</text>",
            step.offset_us as f64 / 1e6
        );
        match step.kind {
            StepKind::Arrow(message) => {
                let class = colour(message);
                arrow(&mut svg, x(&message.from), x(&message.to), y, class);
                let label = story::line(step, message);
                let middle = (x(&message.from) + x(&message.to)) / 2;
                label_at(
                    &mut svg,
                    middle,
                    y - 5,
                    &label,
                    &format!("t-{class}"),
                    "middle",
                );
            }
            StepKind::Note { level, text } => {
                let class = if level == Level::Info { "" } else { "t-bad" };
                let sign = if level == Level::Info { "" } else { "! " };
                boxed(&mut svg, x(step.part), y, &format!("{sign}{text}"), class);
            }
            StepKind::Recording { seconds, .. } => {
                boxed(
                    &mut svg,
                    x(step.part),
                    y,
                    &format!("recording written, {seconds:.1} s"),
                    "",
                );
            }
            StepKind::Media(_) => {}
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The class of a message: by its protocol, or as a failure.
fn colour(message: &Message) -> &'static str {
    match message.protocol {
        _ if message.is_failure() => "bad",
        Protocol::Http => "http",
        Protocol::Sip => "sip",
        Protocol::Rtp => "rtp",
        Protocol::Voice => "voice",
    }
}

fn arrow(svg: &mut String, from: usize, to: usize, y: usize, class: &str) {
    if from == to {
        let _ = write!(
            svg,
            "<path class=\"{class}\" fill=\"none\" d=\"M{from} {y}h24v8h-24\"/>"
        );
        return;
    }
    let tip = if to > from { -8_isize } else { 8 };
    let back = to.saturating_add_signed(tip);
    let _ = write!(
        svg,
        "<line class=\"{class}\" stroke-width=\"1.5\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/><path class=\"t-{class}\" d=\"M{to} {y}L{back} {}L{back} {}Z\"/>",
        y - 4,
        y + 4
    );
}

fn label_at(svg: &mut String, x: usize, y: usize, label: &str, class: &str, anchor: &str) {
    let _ = write!(
        svg,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\"><title>{}</title>{}</text>",
        escape(label),
        escape(&shortened(label))
    );
}

/// A label that fits: its end, which says how long something took, stays.
fn shortened(label: &str) -> String {
    let length = label.chars().count();
    if length <= LONGEST {
        return label.to_owned();
    }
    let begin: String = label.chars().take(LONGEST - KEPT_END - 1).collect();
    let end: String = label.chars().skip(length - KEPT_END).collect();
    format!("{begin}…{end}")
}

fn boxed(svg: &mut String, x: usize, y: usize, text: &str, class: &str) {
    let shown = text.chars().count().min(LONGEST);
    let width = shown * 7 + 16;
    let left = x.saturating_sub(width / 2);
    let _ = write!(
        svg,
        "<rect class=\"note\" x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"20\" rx=\"4\"/>",
        y - 14
    );
    label_at(svg, x, y, text, &format!("in {class}"), "middle");
}
