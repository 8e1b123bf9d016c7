//! Numbers that lie outside of what can work.

use super::super::locate::Located;
use super::super::locate::Step::Key;
use super::super::{Finding, Severity, SidecarConfig};

pub(super) fn ranges(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let mut positive = |section: &str, key: &str, value: u64, least: u64, most: u64| {
        if !(least..=most).contains(&value) {
            findings.push(at.finding(
                Severity::Error,
                &[Key(section), Key(key)],
                format!("{key} is {value}"),
                format!("{least} to {most}"),
            ));
        }
    };
    positive(
        "speech",
        "timeout-seconds",
        config.speech.timeout_seconds.into(),
        1,
        60,
    );
    let every = config.sip.stun_seconds.into();
    positive("sip", "stun-seconds", every, 1, 86_400);
    positive("speech", "queue", config.speech.queue.into(), 1, 10_000);
    positive("speech", "parallel", config.speech.parallel.into(), 1, 256);
    positive("limits", "calls", config.limits.calls.into(), 1, 1_000_000);
    positive(
        "limits",
        "calls-per-second",
        config.limits.calls_per_second.into(),
        1,
        1_000_000,
    );
    positive(
        "limits",
        "call-seconds",
        config.limits.call_seconds.into(),
        1,
        7 * 86_400,
    );
    positive(
        "limits",
        "ring-seconds",
        config.limits.ring_seconds.into(),
        1,
        3600,
    );
    positive(
        "guard",
        "table",
        config.guard.table.into(),
        1024,
        10_000_000,
    );
    positive(
        "guard",
        "ban-window-seconds",
        config.guard.ban_window_seconds.into(),
        1,
        86_400,
    );
    positive(
        "guard",
        "ban-seconds",
        config.guard.ban_seconds.into(),
        1,
        86_400,
    );
    positive(
        "limits",
        "sessions",
        config.limits.sessions.into(),
        1,
        10_000_000,
    );
    let least = u64::from(crate::config::dialog::SHORTEST_SESSION);
    if config.dialog.session_seconds != 0 {
        let session = u64::from(config.dialog.session_seconds);
        positive("dialog", "session-seconds", session, least, 86_400);
    }
    positive(
        "dialog",
        "least-session-seconds",
        config.dialog.least_session_seconds.into(),
        least,
        86_400,
    );
    positive(
        "dns",
        "timeout-ms",
        config.dns.timeout_ms.into(),
        100,
        30_000,
    );
    positive("dialog", "redirects", config.dialog.redirects.into(), 0, 10);
    positive("limits", "queue", config.limits.queue.into(), 16, 1_000_000);
    positive("limits", "workers", config.limits.workers.into(), 0, 250);
    positive(
        "trace",
        "max-bytes",
        config.trace.max_bytes,
        1 << 20,
        1 << 40,
    );
    positive(
        "trace",
        "max-age-days",
        config.trace.max_age_days.into(),
        1,
        3650,
    );
    let pairs = usize::from(config.rtp.ports.pairs());
    if pairs < config.limits.worker_count() {
        findings.push(at.finding(
            Severity::Error,
            &[Key("rtp"), Key("ports")],
            format!(
                "{pairs} port pairs for {} workers",
                config.limits.worker_count()
            ),
            "at least one pair for each worker: widen the range or lower [limits] workers",
        ));
    }
}
