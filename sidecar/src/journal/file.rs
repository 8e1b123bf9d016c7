//! The journal's file, and the calls that it holds.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skillcall_protocol::sma::CallDetails;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::SavedInvite;

use super::SYNC;
use super::disk::Disk;
use super::line::{DialogText, InviteText, Line};

const NAME: &str = "calls.jsonl";
/// The smallest bound of the file, in bytes.
const SMALLEST: u64 = 64 * 1024;
/// A file that could not be written anew is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);
/// What ended leaves the file within this time: it names who spoke with whom.
const FORGET: Duration = Duration::from_secs(60);

/// The most places that are kept of one call that rings; beyond, the first ones are forgotten.
const PLACES: usize = 32;

/// A call that an earlier process has left.
#[derive(Debug, Clone)]
pub(crate) struct LeftCall {
    /// The `Sequence` of the last event that was sent.
    pub(crate) sequence: u32,
    /// Legs and attributes as that event had them.
    pub(crate) details: CallDetails,
    /// The answered legs' dialogs.
    pub(crate) dialogs: Vec<SavedDialog>,
    /// Where its unanswered legs ring.
    pub(crate) ringing: Vec<SavedInvite>,
    /// CallIds of legs that had ended.
    pub(crate) ended: Vec<String>,
}

/// A call of the gateway's that an earlier process has left.
#[derive(Debug, Clone)]
pub(crate) struct LeftSession {
    /// Its sessionId.
    pub(crate) session: String,
    /// The account whose device has it.
    pub(crate) account: String,
    /// Where the account's region has its APIs, if that is known.
    pub(crate) api_endpoint: Option<String>,
    /// The phone's dialog, if it was answered.
    pub(crate) dialogs: Vec<SavedDialog>,
    /// Where the phone rings, if it was called and has not answered.
    pub(crate) ringing: Vec<SavedInvite>,
    /// The phone's INVITE, if it calls and was not answered.
    pub(crate) waiting: Option<SavedInvite>,
}

/// What an earlier process has left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Calls of applications.
    pub(crate) calls: Vec<LeftCall>,
    /// Calls of the gateway's.
    pub(crate) sessions: Vec<LeftSession>,
}

/// What the file holds of one call.
#[derive(Debug, Default)]
struct Live {
    /// The line that began it, where it is the gateway's.
    signal: Option<Box<Line>>,
    sequence: u32,
    details: Option<Box<CallDetails>>,
    dialogs: BTreeMap<String, DialogText>,
    /// The INVITEs of legs that are not answered, with the legs' CallIds.
    ringing: Vec<(String, InviteText)>,
    /// The INVITE of a peer that waits for an answer, with the leg's CallId.
    waiting: Option<(String, InviteText)>,
    ended: Vec<String>,
}

/// The file.
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    most_bytes: u64,
    live: BTreeMap<String, Live>,
    dirty_since: Option<Instant>,
    /// Since when the file names a call that has ended.
    ended_since: Option<Instant>,
    not_before: Option<Instant>,
    complained: bool,
    /// Held for as long as this process writes.
    _lock: File,
    disk: Disk,
}

impl JournalFile {
    /// Opens the file of a folder; the calls that it holds were left.
    pub(super) fn open(folder: &Path, most_bytes: u64) -> io::Result<(Self, Left)> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let lock = options().open(folder.join("lock"))?;
        lock.try_lock().map_err(|_| {
            io::Error::other(
                "another sidecar writes its journal there; give each a folder of its own",
            )
        })?;
        let path = folder.join(NAME);
        let file = options().read(true).open(&path)?;
        let mut live = BTreeMap::new();
        for line in BufReader::new(&file).split(b'\n') {
            // The last line may have been cut off.
            if let Ok(line) = serde_json::from_slice(&line?) {
                apply(&mut live, line);
            }
        }
        let left = Left {
            calls: live.values().filter_map(Live::left).collect(),
            sessions: live.values().filter_map(Live::left_session).collect(),
        };
        let mut journal = Self {
            bytes: file.metadata()?.len(),
            path,
            file,
            most_bytes: most_bytes.max(SMALLEST),
            live,
            dirty_since: None,
            ended_since: None,
            not_before: None,
            complained: false,
            _lock: lock,
            disk: Disk::start()?,
        };
        // Whole lines again, and no more than is needed.
        journal.write_anew()?;
        Ok((journal, left))
    }

    /// When there is something to do without a line: what is written to be brought to the disk, what ended to be removed.
    pub(super) fn due(&self) -> Option<Instant> {
        let sync = self.dirty_since.map(|since| since + SYNC);
        let forget = self.ended_since.map(|since| since + FORGET);
        let forget = forget.max(self.not_before.filter(|_| forget.is_some()));
        [sync, forget].into_iter().flatten().min()
    }

    /// Appends a line; false when it is not written.
    pub(super) fn write(&mut self, line: Line) -> bool {
        let written = to_line(&line).and_then(|text| {
            // One call, so that a crash leaves whole lines.
            self.file.write_all(&text)?;
            self.bytes += text.len() as u64;
            Ok(())
        });
        if matches!(line, Line::Ended { .. }) {
            self.ended_since.get_or_insert_with(Instant::now);
        }
        apply(&mut self.live, line);
        self.dirty_since.get_or_insert_with(Instant::now);
        let is_written = written.is_ok();
        self.tell(written);
        if self.bytes > self.most_bytes {
            self.shorten();
        }
        is_written
    }

    /// Does what is due: see [`Self::due`].
    pub(super) fn tend(&mut self) {
        let passed = |since: Option<Instant>, time| since.is_some_and(|at| at.elapsed() >= time);
        if passed(self.dirty_since, SYNC) {
            let handed_over = self.file.try_clone().map(|file| self.disk.sync(file));
            // While it is still busy with the last time's, this one waits.
            let waits = matches!(handed_over, Ok(false));
            self.dirty_since = waits.then(Instant::now);
            self.tell(handed_over.map(drop));
        }
        if passed(self.ended_since, FORGET) {
            self.shorten();
        }
    }

    /// Leaves a file on the disk that holds the calls that run, and nothing else.
    pub(super) fn close(mut self) {
        self.not_before = None;
        self.shorten();
    }

    /// Writes the file anew, unless that was tried in vain a short time ago.
    fn shorten(&mut self) {
        if self.not_before.is_some_and(|time| Instant::now() < time) {
            return;
        }
        let anew = self.write_anew();
        // Calls that run may need more than the bound.
        let in_vain = anew.is_err() || self.bytes > self.most_bytes / 2;
        self.not_before = in_vain.then(|| Instant::now() + AGAIN);
        self.tell(anew);
    }

    /// A disk that is full is told once in the log, and costs no call.
    fn tell(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.complained = false,
            Err(error) if !std::mem::replace(&mut self.complained, true) => {
                tracing::error!(file = %self.path.display(), %error, "the journal cannot be written");
            }
            Err(_) => {}
        }
    }

    /// Writes the calls that run into a new file, which takes the old one's place.
    fn write_anew(&mut self) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        let mut whole = Vec::new();
        for (transaction, live) in &self.live {
            for line in live.lines(transaction) {
                whole.extend(to_line(&line)?);
            }
        }
        let mut file = options()
            .truncate(true)
            .append(false)
            .write(true)
            .open(&aside)?;
        file.write_all(&whole)?;
        file.sync_data()?;
        fs::rename(&aside, &self.path)?;
        self.file = options().open(&self.path)?;
        self.bytes = whole.len() as u64;
        self.dirty_since = None;
        self.ended_since = None;
        Ok(())
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options
}

fn to_line(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

fn apply(live: &mut BTreeMap<String, Live>, line: Line) {
    match line {
        Line::Asked { sequence, details } => {
            let transaction = details.transaction_id.to_string();
            let call = live.entry(transaction).or_default();
            call.sequence = sequence;
            call.details = Some(details);
        }
        Line::Leg {
            transaction,
            call_id,
            dialog,
        } => {
            let call = live.entry(transaction).or_default();
            call.forget_unanswered(&call_id);
            call.dialogs.insert(call_id, *dialog);
        }
        Line::Ringing {
            transaction,
            call_id,
            invite,
        } => {
            let call = live.entry(transaction).or_default();
            if call.ringing.len() >= PLACES {
                call.ringing.remove(0);
            }
            call.ringing.push((call_id, *invite));
        }
        Line::Waiting {
            transaction,
            call_id,
            invite,
        } => {
            live.entry(transaction).or_default().waiting = Some((call_id, *invite));
        }
        Line::LegEnded {
            transaction,
            call_id,
        } => {
            if let Some(call) = live.get_mut(&transaction) {
                call.dialogs.remove(&call_id);
                call.forget_unanswered(&call_id);
                call.ended.push(call_id);
            }
        }
        Line::Signal {
            ref transaction,
            begins,
            ..
        } => {
            if begins {
                let call = live.entry(transaction.clone()).or_default();
                call.signal.get_or_insert_with(|| Box::new(line));
            }
        }
        Line::Ended { transaction } => {
            live.remove(&transaction);
        }
    }
}

impl Live {
    fn left_dialogs(&self) -> Vec<SavedDialog> {
        let dialogs = self.dialogs.values();
        dialogs.filter_map(DialogText::dialog).collect()
    }

    /// A leg is answered, or gone.
    fn forget_unanswered(&mut self, call_id: &str) {
        self.ringing.retain(|(leg, _)| leg != call_id);
        self.waiting = self.waiting.take().filter(|(leg, _)| leg != call_id);
    }

    fn left_ringing(&self) -> Vec<SavedInvite> {
        let ringing = self.ringing.iter();
        ringing.filter_map(|(_, invite)| invite.invite()).collect()
    }

    fn left(&self) -> Option<LeftCall> {
        Some(LeftCall {
            sequence: self.sequence,
            details: self.details.as_deref()?.clone(),
            dialogs: self.left_dialogs(),
            ringing: self.left_ringing(),
            ended: self.ended.clone(),
        })
    }

    fn left_session(&self) -> Option<LeftSession> {
        let Line::Signal {
            transaction,
            account,
            api_endpoint,
            ..
        } = self.signal.as_deref()?
        else {
            return None;
        };
        Some(LeftSession {
            session: transaction.clone(),
            account: account.clone(),
            api_endpoint: api_endpoint.clone(),
            dialogs: self.left_dialogs(),
            ringing: self.left_ringing(),
            waiting: self
                .waiting
                .as_ref()
                .and_then(|(_, invite)| invite.invite()),
        })
    }

    fn lines<'a>(&'a self, transaction: &'a str) -> impl Iterator<Item = Line> + 'a {
        let signal = self.signal.as_deref().cloned();
        let asked = self.details.as_ref().map(|details| Line::Asked {
            sequence: self.sequence,
            details: details.clone(),
        });
        let legs = self.dialogs.iter().map(|(call_id, dialog)| Line::Leg {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            dialog: Box::new(dialog.clone()),
        });
        let ended = self.ended.iter().map(|call_id| Line::LegEnded {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
        });
        let ringing = self.ringing.iter().map(|(call_id, invite)| Line::Ringing {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            invite: Box::new(invite.clone()),
        });
        let begun = signal.into_iter().chain(asked);
        let waiting = self.waiting.iter().map(|(call_id, invite)| Line::Waiting {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            invite: Box::new(invite.clone()),
        });
        begun.chain(ringing).chain(waiting).chain(legs).chain(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use skillcall_sip::endpoint::Transport;

    fn asked(transaction: &str, sequence: u32) -> Line {
        let details = serde_json::from_value(json!({
            "TransactionId": transaction, "AwsAccountId": "1", "AwsRegion": "r", "SipMediaApplicationId": "m",
            "Participants": [{"CallId": format!("{transaction}-a"), "ParticipantTag": "LEG-A", "To": "+1", "From": "+2",
                "Direction": "Inbound", "StartTimeInMilliseconds": "5", "Status": "Connected"}],
        }))
        .unwrap();
        Line::Asked {
            sequence,
            details: Box::new(details),
        }
    }

    fn leg(transaction: &str) -> Line {
        let dialog = SavedDialog {
            call_id: b"c".to_vec(),
            local: b"<sip:a@h>;tag=1".to_vec(),
            remote: b"\xe4<sip:b@h>;tag=2".to_vec(),
            target: b"sip:b@h".to_vec(),
            routes: vec![b"<sip:p;lr>".to_vec()],
            cseq: 7,
            transport: Transport::Udp,
            from: "127.0.0.1:5060".parse().unwrap(),
            to: "127.0.0.1:5070".parse().unwrap(),
        };
        Line::Leg {
            transaction: transaction.to_owned(),
            call_id: format!("{transaction}-a"),
            dialog: Box::new(DialogText::of(&dialog)),
        }
    }

    #[test]
    fn what_runs_is_left_and_what_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, left) = JournalFile::open(folder.path(), 0).unwrap();
        assert!(left.calls.is_empty());
        for transaction in ["s", "t"] {
            journal.write(asked(transaction, 1));
            journal.write(leg(transaction));
        }
        journal.write(asked("t", 2));
        journal.write(Line::Ended {
            transaction: "s".to_owned(),
        });
        drop(journal);
        // A line that was cut off.
        let path = folder.path().join(NAME);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"what\":\"ended\",\"transa").unwrap();
        drop(file);
        let (mut journal, left) = JournalFile::open(folder.path(), 0).unwrap();
        let left = left.calls;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].sequence, 2);
        assert_eq!(left[0].dialogs[0].remote, b"\xe4<sip:b@h>;tag=2");
        // It goes on, and what was read is left again until it is ended.
        journal.write(Line::LegEnded {
            transaction: "t".to_owned(),
            call_id: "t-a".to_owned(),
        });
        drop(journal);
        let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
        let left = left.calls;
        assert_eq!(left[0].ended, ["t-a"]);
        assert!(left[0].dialogs.is_empty());
    }

    #[test]
    fn a_session_is_left_with_its_dialog_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let signal = |session: &str, operation: &str, begins| Line::Signal {
            transaction: session.to_owned(),
            account: "amzn1.ask.account.A".to_owned(),
            api_endpoint: None,
            request: Some("r1".to_owned()),
            operation: operation.to_owned(),
            begins,
        };
        let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
        assert!(journal.write(signal("s-1", "InitiateOutboundCall", true)));
        let Line::Ringing {
            transaction,
            call_id,
            invite,
        } = ringing("s-1", "z9hG4bK1")
        else {
            unreachable!()
        };
        let waiting = Line::Waiting {
            transaction,
            call_id: call_id.clone(),
            invite,
        };
        journal.write(waiting.clone());
        journal.write(leg("s-1"));
        // Another one is not answered.
        journal.write(signal("s-0", "InitiateInboundCall", true));
        let Line::Waiting { invite, .. } = waiting else {
            unreachable!()
        };
        journal.write(Line::Waiting {
            transaction: "s-0".to_owned(),
            call_id,
            invite,
        });
        // Nobody knows this one: there is nothing to end.
        journal.write(signal("s-2", "CallRingingAck", false));
        journal.write(signal("s-3", "InitiateOutboundCall", true));
        journal.write(Line::Ended {
            transaction: "s-3".to_owned(),
        });
        drop(journal);
        // Twice: the file was written anew meanwhile.
        for _ in 0..2 {
            let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
            assert!(left.calls.is_empty());
            assert_eq!(left.sessions.len(), 2);
            assert!(left.sessions[0].waiting.is_some());
            let answered = &left.sessions[1];
            assert_eq!(answered.session, "s-1");
            assert_eq!(answered.account, "amzn1.ask.account.A");
            assert_eq!(answered.dialogs.len(), 1);
            assert_eq!(answered.waiting, None);
        }
    }

    fn ringing(transaction: &str, branch: &str) -> Line {
        let invite = SavedInvite {
            request: format!(
                "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
            )
            .into_bytes(),
            transport: Transport::Tcp,
            to: "127.0.0.1:5070".parse().unwrap(),
        };
        Line::Ringing {
            transaction: transaction.to_owned(),
            call_id: format!("{transaction}-a"),
            invite: Box::new(InviteText::of(&invite)),
        }
    }

    #[test]
    fn what_rings_is_left_until_it_is_answered_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
        for transaction in ["answered", "gone", "ringing"] {
            journal.write(asked(transaction, 1));
            for place in 0..PLACES + 2 {
                journal.write(ringing(transaction, &format!("z9hG4bK{place}")));
            }
        }
        journal.write(leg("answered"));
        journal.write(Line::LegEnded {
            transaction: "gone".to_owned(),
            call_id: "gone-a".to_owned(),
        });
        drop(journal);
        // Twice: the file was written anew meanwhile.
        for _ in 0..2 {
            let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
            let rings: Vec<usize> = left.calls.iter().map(|call| call.ringing.len()).collect();
            assert_eq!(rings, [0, 0, PLACES]);
            let last = left.calls[2].ringing.last().unwrap();
            assert_eq!(
                last.branch().unwrap(),
                format!("z9hG4bK{}", PLACES + 1).as_bytes()
            );
            assert_eq!(last.transport, Transport::Tcp);
        }
    }

    #[test]
    fn the_file_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
        journal.write(asked("stays", 1));
        for number in 0..2000 {
            let transaction = format!("t{number}");
            journal.write(asked(&transaction, 1));
            journal.write(leg(&transaction));
            journal.write(Line::Ended { transaction });
        }
        let size = fs::metadata(folder.path().join(NAME)).unwrap().len();
        assert!(size < SMALLEST + 4096, "{size} bytes");
        drop(journal);
        let (_, left) = JournalFile::open(folder.path(), 0).unwrap();
        assert_eq!(left.calls.len(), 1);
    }

    #[test]
    fn whoever_has_spoken_is_not_named_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = JournalFile::open(folder.path(), 0).unwrap();
        let text = || fs::read_to_string(folder.path().join(NAME)).unwrap();
        for transaction in ["s", "t"] {
            journal.write(asked(transaction, 1));
        }
        journal.write(Line::Ended {
            transaction: "s".to_owned(),
        });
        assert!(text().contains("s-a"));
        let ended = Instant::now() - FORGET;
        journal.ended_since = Some(ended);
        assert_eq!(journal.due(), Some(ended + FORGET));
        journal.tend();
        assert!(!text().contains("s-a") && text().contains("t-a"));
        assert_eq!(journal.due(), None);
        journal.write(Line::Ended {
            transaction: "t".to_owned(),
        });
        journal.close();
        assert_eq!(text(), "");
    }

    #[test]
    fn a_folder_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let _first = JournalFile::open(folder.path(), 0).unwrap();
        assert!(JournalFile::open(folder.path(), 0).is_err());
    }
}
