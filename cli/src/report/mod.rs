//! `call.html`: one self-contained page about one call.

mod drawing;
mod waveform;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillcall_protocol::trace::{Kind, StepKind, Trace};

use crate::installation::Installation;
use waveform::Waveform;

/// The recordings that a trace names and that lie in the installation's buckets.
pub(crate) fn recordings(trace: &Trace, installation: &Installation) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Recording { path, .. } => Some(installation.path(path)),
            _ => None,
        })
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files.dedup();
    files
}

/// The page. `unreachable` names parts that could not be asked for their records.
pub(crate) fn page(
    trace: &Trace,
    unreachable: &[String],
    recordings: &[PathBuf],
) -> anyhow::Result<String> {
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
    for path in recordings {
        recording(path, &mut html)?;
    }
    figures(trace, &mut html);
    messages(trace, &mut html);
    html.push_str("<script>");
    html.push_str(include_str!("page.js"));
    html.push_str("</script>\n</body></html>\n");
    Ok(html)
}

fn summary(trace: &Trace, html: &mut String) {
    let seconds = match (trace.records.first(), trace.records.last()) {
        (Some(first), Some(last)) => last.at.saturating_sub(first.at) as f64 / 1e6,
        _ => 0.0,
    };
    let start = trace
        .records
        .first()
        .and_then(|record| jiff::Timestamp::from_microsecond(i64::try_from(record.at).ok()?).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default();
    let _ = writeln!(
        html,
        "<p class=\"sub\">{start}, {seconds:.1} s from the first message to the last</p>\n<dl class=\"ids\">"
    );
    let calls = trace.ids.call.join(", ");
    let rows = [
        ("TransactionId", trace.ids.transaction.as_deref()),
        (
            "CallIds",
            Some(calls.as_str()).filter(|calls| !calls.is_empty()),
        ),
        ("clientSessionId", trace.ids.csi.as_deref()),
        ("sessionId", trace.ids.session.as_deref()),
        ("requestId", trace.ids.request.as_deref()),
        ("trace id", trace.ids.trace.as_deref()),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(html, "<dt>{name}</dt><dd>{}</dd>", escape(value));
        }
    }
    html.push_str("</dl>\n");
}

fn recording(path: &PathBuf, html: &mut String) -> anyhow::Result<()> {
    let waveform = Waveform::read(path)?;
    let bytes = std::fs::read(path).with_context(|| format!("recording {}", path.display()))?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
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
        "<audio controls preload=\"metadata\" src=\"data:audio/wav;base64,{}\"></audio><p class=\"key\">{}</p></section>",
        STANDARD.encode(bytes),
        escape(&name)
    );
    Ok(())
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
    html.push_str("<h2>Every message</h2>\n<p class=\"sub\">Numbers, tokens and keys are cut out before anything is written.</p>\n");
    for step in trace.ladder() {
        let time = step.offset_us as f64 / 1e6;
        if let StepKind::Arrow(message) = step.kind {
            let outcome = message
                .outcome
                .as_deref()
                .map(|outcome| format!(" ⇒ {}", escape(outcome)))
                .unwrap_or_default();
            let _ = writeln!(
                html,
                "<details><summary><span class=\"t\">{time:.3} s</span>{} → {}: {}{outcome}</summary>{}</details>",
                escape(message.from.name()),
                escape(message.to.name()),
                escape(&message.name),
                message
                    .body
                    .as_deref()
                    .map(|body| format!("<pre>{}</pre>", escape(body)))
                    .unwrap_or_default()
            );
        }
    }
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
