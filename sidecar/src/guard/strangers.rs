//! What becomes of a message whose sender nobody knows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use skillcall_sip::endpoint::Flow;
use skillcall_sip::peek::Peek;

use super::bans::host;
use super::offence::scanner;
use super::{Bucket, Offence, SharedBans, locked};
use crate::config::GuardConfig;

/// Messages a second, of all strangers, that belong to a dialog of ours by their To tag.
const IN_DIALOG: u32 = 50;

/// A stranger's message, as far as it was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting<'a> {
    /// Whose address it carries.
    pub(crate) from: IpAddr,
    /// Whether that address is proven by a connection.
    pub(crate) by_connection: bool,
    /// The message.
    pub(crate) message: &'a [u8],
    /// What a bounded look at it showed; none: it is no SIP message.
    pub(crate) seen: Option<&'a Peek<'a>>,
    /// Whether its To tag is of the form that ours have.
    pub(crate) names_our_dialog: bool,
}

impl<'a> Sighting<'a> {
    /// A message as it came, whose To tag is not of our form.
    pub(crate) fn new(flow: &Flow, message: &'a [u8], seen: Option<&'a Peek<'a>>) -> Self {
        Self {
            from: flow.remote.ip(),
            by_connection: flow.transport.is_reliable(),
            message,
            seen,
            names_our_dialog: false,
        }
    }
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It goes on as those of known sources do.
    Pass,
    /// One answer without state, if it is no longer than the request.
    Answer,
    /// Nothing.
    Silence,
    /// Nothing, and nothing more for this time.
    Banned {
        /// How long.
        lasts: Duration,
        /// For what.
        why: Offence,
    },
}

/// The judge of strangers.
#[derive(Debug)]
pub(crate) struct Strangers {
    bans: SharedBans,
    scanners: Vec<String>,
    enough: u32,
    /// Marks by host, of this window and the one before.
    young: HashMap<IpAddr, u32>,
    old: HashMap<IpAddr, u32>,
    turn: Instant,
    window: Duration,
    limit: usize,
    answers: Bucket,
    in_dialog: Bucket,
    registers: Bucket,
    silent: bool,
}

impl Strangers {
    /// `silent`: nobody gets an answer; `registers`: REGISTERs of strangers that are looked at in a second.
    pub(crate) fn new(
        config: &GuardConfig,
        bans: SharedBans,
        silent: bool,
        registers: u32,
        now: Instant,
    ) -> Self {
        let window = Duration::from_secs(config.ban_window_seconds.into());
        Self {
            bans,
            scanners: config.scanners.clone(),
            enough: config.ban_after,
            young: HashMap::new(),
            old: HashMap::new(),
            turn: now + window,
            window,
            limit: config.table as usize,
            answers: Bucket::new(config.stranger_answers_per_second, now),
            in_dialog: Bucket::new(IN_DIALOG, now),
            registers: Bucket::new(registers, now),
            silent,
        }
    }

    /// Other settings from now on; marks stay.
    pub(crate) fn reload(
        &mut self,
        config: &GuardConfig,
        silent: bool,
        registers: u32,
        now: Instant,
    ) {
        let fresh = Self::new(config, self.bans.clone(), silent, registers, now);
        let (young, old) = (
            std::mem::take(&mut self.young),
            std::mem::take(&mut self.old),
        );
        *self = Self {
            young,
            old,
            ..fresh
        };
    }

    /// Whether nothing that comes this way is heard: asked first, as it costs least.
    pub(crate) fn is_banned(&self, from: IpAddr, by_connection: bool, now: Instant) -> bool {
        locked(&self.bans).stops(from, by_connection, now)
    }

    /// Judges a REGISTER of somebody who may be a phone: so many a second are looked at.
    pub(crate) fn judge_register(&mut self, sighting: &Sighting<'_>, now: Instant) -> Judgement {
        if let Some(offence) = scanner(sighting.message, &self.scanners) {
            return self.offend(sighting.from, sighting.by_connection, offence, now);
        }
        if self.registers.take(now) {
            Judgement::Pass
        } else {
            Judgement::Silence
        }
    }

    /// Judges a message of somebody who is not banned.
    pub(crate) fn judge(&mut self, sighting: &Sighting<'_>, now: Instant) -> Judgement {
        let Some(seen) = sighting.seen else {
            return self.offend(
                sighting.from,
                sighting.by_connection,
                Offence::Malformed,
                now,
            );
        };
        if !seen.is_request {
            // Nobody was asked.
            return Judgement::Silence;
        }
        // An INVITE's refusal would be sent again and again, so none of them passes.
        if sighting.names_our_dialog && seen.method != b"INVITE" {
            return if self.in_dialog.take(now) {
                Judgement::Pass
            } else {
                Judgement::Silence
            };
        }
        if seen.method == b"ACK" {
            return Judgement::Silence;
        }
        let offence = scanner(sighting.message, &self.scanners).unwrap_or(Offence::Knocked);
        self.offend(sighting.from, sighting.by_connection, offence, now)
    }

    /// Marks somebody, and bans whoever has enough marks.
    pub(crate) fn offend(
        &mut self,
        from: IpAddr,
        by_connection: bool,
        offence: Offence,
        now: Instant,
    ) -> Judgement {
        let answerable = !matches!(offence, Offence::Malformed);
        let Some(marks) = self.mark(host(from), offence.marks(self.enough)) else {
            // No room: the table is full of others, and an answer for each would be a flood of its own.
            return Judgement::Silence;
        };
        if self.enough > 0 && marks >= self.enough {
            self.young.remove(&host(from));
            self.old.remove(&host(from));
            let mut bans = locked(&self.bans);
            let lasts = bans.ban(from, offence.clone(), by_connection, now, SystemTime::now());
            return Judgement::Banned {
                lasts,
                why: offence,
            };
        }
        if self.silent || !answerable || !self.answers.take(now) {
            Judgement::Silence
        } else {
            Judgement::Answer
        }
    }

    fn mark(&mut self, host: IpAddr, marks: u32) -> Option<u32> {
        let before = self.old.get(&host).copied().unwrap_or(0);
        let is_full = self.young.len() >= self.limit;
        let now = match self.young.get_mut(&host) {
            Some(now) => now,
            None if is_full => return None,
            None => self.young.entry(host).or_insert(0),
        };
        *now = now.saturating_add(marks);
        Some(now.saturating_add(before))
    }

    /// Forgets what is over.
    pub(crate) fn housekeeping(&mut self, now: Instant) {
        if now >= self.turn {
            self.turn = now + self.window;
            self.old = std::mem::take(&mut self.young);
            locked(&self.bans).forget(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use skillcall_sip::peek::peek;

    use super::super::Bans;
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    fn judge(config: &GuardConfig, now: Instant) -> Strangers {
        let bans = Bans::new(Duration::from_secs(600), config.table as usize);
        Strangers::new(config, Arc::new(Mutex::new(bans)), false, 50, now)
    }

    fn request(method: &str, to_tag: &str, more: &str) -> String {
        format!(
            "{method} sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:1@192.0.2.1>{to_tag}\r\nCall-ID: x\r\nCSeq: 1 {method}\r\n{more}\r\n"
        )
    }

    fn see(judge: &mut Strangers, message: &str, ours: bool, now: Instant) -> Judgement {
        let seen = peek(message.as_bytes());
        let sighting = Sighting {
            from: A,
            by_connection: false,
            message: message.as_bytes(),
            seen: seen.as_ref(),
            names_our_dialog: ours,
        };
        judge.judge(&sighting, now)
    }

    #[test]
    fn what_strangers_get() {
        let now = Instant::now();
        let ours = ";tag=w00-1";
        for (message, names_ours, expected) in [
            (request("INVITE", "", ""), false, Judgement::Answer),
            (request("OPTIONS", "", ""), false, Judgement::Answer),
            (request("REGISTER", "", ""), false, Judgement::Answer),
            (request("INVITE", ";tag=other", ""), false, Judgement::Answer),
            (request("BYE", ours, ""), true, Judgement::Pass),
            (request("ACK", ours, ""), true, Judgement::Pass),
            (request("INVITE", ours, ""), true, Judgement::Answer),
            (request("ACK", ";tag=other", ""), false, Judgement::Silence),
            ("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKw00-1\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n".into(), false, Judgement::Silence),
            ("GET / HTTP/1.1\r\n\r\n".into(), false, Judgement::Silence),
        ] {
            let mut judge = judge(&GuardConfig::default(), now);
            assert_eq!(see(&mut judge, &message, names_ours, now), expected, "{message}");
        }
    }

    #[test]
    fn enough_marks_are_a_ban_and_a_scanner_has_enough_at_once() {
        let now = Instant::now();
        let config = GuardConfig {
            ban_after: 5,
            ..GuardConfig::default()
        };
        let mut knocking = judge(&config, now);
        for n in 1..=5 {
            let banned = matches!(
                see(&mut knocking, &request("REGISTER", "", ""), false, now),
                Judgement::Banned { .. }
            );
            assert_eq!(banned, n == 5, "{n}");
        }
        assert!(knocking.is_banned(A, false, now));
        let mut scanned = judge(&config, now);
        let message = request("OPTIONS", "", "User-Agent: friendly-scanner\r\n");
        let Judgement::Banned { lasts, why } = see(&mut scanned, &message, false, now) else {
            panic!("not banned");
        };
        assert_eq!(lasts, Duration::from_secs(600));
        assert!(why.to_string().contains("friendly-scanner"));
        let mut slow = judge(&config, now);
        for n in 0..100 {
            let later = now + slow.window * n;
            slow.housekeeping(later);
            let got = see(&mut slow, &request("OPTIONS", "", ""), false, later);
            assert_eq!(got, Judgement::Answer, "{n}");
        }
        let mut never = judge(
            &GuardConfig {
                ban_after: 0,
                ..config
            },
            now,
        );
        for _ in 0..1000 {
            let got = see(&mut never, &request("OPTIONS", "", ""), false, now);
            assert!(!matches!(got, Judgement::Banned { .. }));
        }
    }

    #[test]
    fn a_flood_of_addresses_fills_no_more_than_the_tables() {
        let now = Instant::now();
        let config = GuardConfig {
            table: 1000,
            ..GuardConfig::default()
        };
        let mut judge = judge(&config, now);
        let message = request("INVITE", "", "");
        let seen = peek(message.as_bytes());
        let mut answers = 0;
        for n in 0..100_000_u32 {
            let sighting = Sighting {
                from: IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n)),
                by_connection: false,
                message: message.as_bytes(),
                seen: seen.as_ref(),
                names_our_dialog: false,
            };
            answers += u32::from(judge.judge(&sighting, now) == Judgement::Answer);
        }
        assert_eq!(judge.young.len(), 1000);
        assert_eq!(answers, config.stranger_answers_per_second);
    }
}
