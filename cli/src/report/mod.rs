//! `call.html`: one self-contained page about one call.

mod drawing;
mod waveform;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_protocol::trace::{Kind, Level, StepKind, Trace};
use skillcall_sidecar::SidecarConfig;

use crate::installation::Installation;
use crate::trace::story;
use waveform::Waveform;

/// A recording that a trace names.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Its bucket and key.
    pub(crate) name: String,
    /// The WAV file, or why it cannot be read.
    pub(crate) wav: Result<Vec<u8>, String>,
}

/// The recordings that a trace names, from the buckets of the installation's `sidecar.toml`. A key leads nowhere else,
/// whoever wrote the record.
pub(crate) fn recordings(trace: &Trace, installation: &Installation) -> Vec<Recording> {
    let mut named: Vec<(&str, &str)> = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Recording {
                bucket: Some(bucket),
                path,
                ..
            } => Some((bucket.as_str(), path.as_str())),
            _ => None,
        })
        .collect();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Vec::new();
    }
    let buckets = SidecarConfig::load(&installation.sidecar())
        .map_err(|error| error.to_string())
        .and_then(|config| config.buckets().map_err(|error| error.to_string()));
    named
        .into_iter()
        .map(|(bucket, key)| Recording {
            name: format!("{bucket}/{key}"),
            wav: match &buckets {
                Ok(buckets) => buckets.read(bucket, key).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
        })
        .collect()
}

/// The page. `unreachable` names parts that could not be asked for their records.
pub(crate) fn page(trace: &Trace, unreachable: &[String], recordings: &[Recording]) -> String {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>A call, by skillcall</title>\n<style>",
    );
    html.push_str(include_str!("page.css"));
    html.push_str("</style></head><body>\n<h1>One call</h1>\n");
    summary(trace, &mut html);
    for reason in unreachable {
        let _ = writeln!(
            html,
            "<p class=\"missing\">Could not be asked: {}</p>",
            escape(reason)
        );
    }
    if !trace.missing.is_empty() {
        let names: Vec<String> = trace
            .missing
            .iter()
            .map(|party| escape(party.name()))
            .collect();
        let _ = writeln!(
            html,
            "<p class=\"missing\">No records from {}: their messages are shown as the other end saw them.</p>",
            names.join(", ")
        );
    }
    html.push_str("<h2>Who said what to whom</h2>\n<div class=\"wide\">");
    html.push_str(&drawing::ladder(trace));
    html.push_str("</div>\n");
    for it in recordings {
        recording(it, &mut html);
    }
    legs(trace, &mut html);
    figures(trace, &mut html);
    messages(trace, &mut html);
    html.push_str("<script>");
    html.push_str(include_str!("page.js"));
    html.push_str("</script>\n</body></html>\n");
    html
}

fn summary(trace: &Trace, html: &mut String) {
    let _ = writeln!(
        html,
        "<p class=\"sub\">{}</p>\n<dl class=\"ids\">",
        escape(&story::when(trace))
    );
    for (name, value) in story::ids(trace) {
        let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    html.push_str("</dl>\n");
}

fn recording(recording: &Recording, html: &mut String) {
    let name = escape(&recording.name);
    let read = recording
        .wav
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|wav| match Waveform::read(wav) {
            Ok(waveform) => Ok((wav, waveform)),
            Err(error) => Err(format!("{error:#}")),
        });
    let (wav, waveform) = match read {
        Ok(read) => read,
        Err(why) => {
            let _ = writeln!(
                html,
                "<h2>Recording</h2>\n<p class=\"missing\">{name} cannot be shown: {}</p>",
                escape(&why)
            );
            return;
        }
    };
    let _ = writeln!(
        html,
        "<h2>Recording, {:.1} s</h2>\n<section><div class=\"wave\">{}<div class=\"head\"></div></div>",
        waveform.seconds,
        waveform.svg()
    );
    if waveform.channels == 2 {
        html.push_str("<p class=\"key\"><b class=\"l\">top</b>: what came from the caller (left) · <b class=\"r\">bottom</b>: what the caller heard (right)</p>\n");
    }
    let _ = writeln!(
        html,
        "<audio controls preload=\"metadata\" src=\"data:audio/wav;base64,{}\"></audio><p class=\"key\">{name}</p></section>",
        STANDARD.encode(wav)
    );
}

fn legs(trace: &Trace, html: &mut String) {
    let legs = trace.legs();
    if legs.is_empty() {
        return;
    }
    html.push_str("<h2>SIP legs</h2>\n<div class=\"wide\"><table><tr><th>from</th><th>to</th><th class=\"n\">INVITE at</th><th class=\"n\">rang after</th><th class=\"n\">answered after</th><th class=\"n\">talked</th><th>ended by</th></tr>\n");
    let seconds = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), story::seconds);
    for leg in legs {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(leg.caller.name()),
            escape(leg.called.name()),
            story::seconds(leg.invited_us),
            seconds(leg.rang_after_us()),
            seconds(leg.answered_after_us()),
            seconds(leg.talked_us()),
            escape(&story::end(&leg)),
        );
    }
    html.push_str("</table></div>\n");
}

fn figures(trace: &Trace, html: &mut String) {
    let rows: Vec<_> = trace
        .ladder()
        .into_iter()
        .filter_map(|step| match step.kind {
            StepKind::Media(figures) => Some((step.part.clone(), figures.clone())),
            _ => None,
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    html.push_str("<h2>Media of each leg</h2>\n<div class=\"wide\"><table><tr><th>seen by</th><th>leg</th><th>codec</th><th class=\"n\">sent</th><th class=\"n\">received</th><th class=\"n\">lost</th><th class=\"n\">late</th><th class=\"n\">jitter</th><th class=\"n\">MOS (estimated)</th></tr>\n");
    for (part, f) in rows {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.1} ms</td><td class=\"n\">{:.2}</td></tr>",
            escape(part.name()),
            escape(&f.leg),
            escape(&f.codec),
            f.sent,
            f.received,
            f.lost,
            f.late,
            f.jitter_ms,
            f.mos
        );
    }
    html.push_str("</table></div>\n");
}

fn messages(trace: &Trace, html: &mut String) {
    html.push_str("<h2>Every message</h2>\n<p class=\"sub\">Numbers, tokens, keys and the digits that were pressed are cut out before anything is written.</p>\n");
    for step in trace.ladder() {
        let time = step.offset_us as f64 / 1e6;
        match step.kind {
            StepKind::Arrow(message) => {
                let class = if message.is_failure() {
                    " class=\"bad\""
                } else {
                    ""
                };
                let _ = writeln!(
                    html,
                    "<details><summary{class}><span class=\"t\">{time:.3} s</span>{} → {}: {}</summary>{}</details>",
                    escape(message.from.name()),
                    escape(message.to.name()),
                    escape(&story::line(&step, message)),
                    message
                        .body
                        .as_deref()
                        .map(|body| format!("<pre>{}</pre>", escape(&readable(body))))
                        .unwrap_or_default()
                );
            }
            StepKind::Note { level, text } => {
                let class = if level == Level::Info { "" } else { " bad" };
                let _ = writeln!(
                    html,
                    "<p class=\"said{class}\"><span class=\"t\">{time:.3} s</span>{}: {}</p>",
                    escape(step.part.name()),
                    escape(text)
                );
            }
            StepKind::Media(_) | StepKind::Recording { .. } => {}
        }
    }
}

/// A body that is JSON with a line for each member; others as they are.
fn readable(body: &str) -> String {
    serde_json::from_str::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| body.to_owned())
}

/// Escapes text for HTML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
