//! The dialog journal: which calls run, so that a sidecar that was killed can take leave of them when it starts again.
//!
//! One file that is appended to. A line says that a handler was asked (with the call's legs and attributes as they were
//! then), that a leg rings (with what a CANCEL needs), that a peer calls (with what a refusal needs, and a BYE), that a leg
//! is answered (with what a BYE needs), or that a leg or a call has ended. When the file has grown too
//! long, and within a minute after a call has ended, it is written anew with the calls that still run.
//!
//! A line is with the system within a moment, so that it outlives the process; it is on the disk within a second, so that a
//! machine that loses its power loses at most the last second. A leg whose answer is lost so is ended all the same: one that
//! we called gets a CANCEL, and by what its peer says to that, a BYE; one that called us gets both, the refusal of what it
//! seems to wait for, and a BYE.
//!
//! A process that is taken over from writes on beside the file, so that the next one has the file for itself; when it dies
//! before its calls have ended, that one ends them.
//!
//! After a start, every call that the file still holds gets a BYE on each answered leg, a CANCEL wherever one rings, a 500
//! for each caller that waits, and its handler a HANGUP for each leg.

mod disk;
mod file;
mod leftover;
mod line;
mod live;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use skillcall_protocol::signaling::{Forward, Operation, Order};
use skillcall_protocol::sma::Event;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::SavedInvite;
use tokio::sync::oneshot;

use file::JournalFile;
pub(crate) use leftover::take_leave;
use line::{DialogText, InviteText, Line};
pub(crate) use live::{Left, LeftCall, LeftSession, WaitingCaller};

/// Lines that may wait for the file.
const QUEUE: usize = 64 * 1024;
/// What is written is on the disk within this time.
const SYNC: Duration = Duration::from_secs(1);

enum Job {
    Asked(Arc<Event>),
    Line(Line),
    /// A line whose writer waits until it is written.
    Kept(Line, oneshot::Sender<bool>),
    /// Write on beside the file.
    StepAside(Sender<std::io::Result<()>>),
    /// The process that took over is gone: the file is this one's again, with the calls that it left.
    StepBack(Sender<std::io::Result<Left>>),
    /// The process that wrote on beside the file is gone: what it left is this one's.
    Absorb(Sender<std::io::Result<Left>>),
    Stop,
}

/// The way to the journal's thread; without one nothing is written.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    jobs: Option<Sender<Job>>,
}

impl Journal {
    /// Reads what an earlier process has left in `folder`, and goes on writing there.
    ///
    /// # Errors
    /// The folder or the file cannot be made or read, or another process writes there.
    pub(crate) fn start(
        folder: &Path,
        most_bytes: u64,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>, Left)> {
        let (file, left) = JournalFile::open(folder, most_bytes)?;
        let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || run(&queue, file))?;
        Ok((Self { jobs: Some(jobs) }, thread, left))
    }

    /// A handler is asked for a call.
    pub(crate) fn asked(&self, event: &Arc<Event>) {
        self.put(|| Job::Asked(Arc::clone(event)));
    }

    /// A message of Alexa's, which is acknowledged once it is written. False when it cannot be written.
    pub(crate) async fn forwarded(&self, forward: &Forward) -> bool {
        let Some(jobs) = &self.jobs else {
            return true;
        };
        let operation = &forward.message.operation;
        let line = Line::Signal {
            transaction: forward.message.session_id.to_string(),
            account: forward.account.as_str().to_owned(),
            api_endpoint: Some(forward.api_endpoint.clone()),
            request: Some(forward.request_id.to_string()),
            operation: operation.name().to_string(),
            begins: matches!(operation, Operation::InitiateOutboundCall { .. }),
        };
        let (written, waiting) = oneshot::channel();
        jobs.try_send(Job::Kept(line, written)).is_ok() && waiting.await.unwrap_or(false)
    }

    /// A device is called.
    pub(crate) fn ordered(&self, order: &Order) {
        self.put(|| {
            Job::Line(Line::Signal {
                transaction: order.message.session_id.to_string(),
                account: order.account.as_str().to_owned(),
                api_endpoint: order.api_endpoint.clone(),
                request: None,
                operation: order.message.operation.name().to_string(),
                begins: true,
            })
        });
    }

    /// A leg is called at a place; it may be called at several.
    pub(crate) fn ringing(&self, transaction: &str, call_id: &str, invite: &SavedInvite) {
        self.put(|| {
            Job::Line(Line::Ringing {
                transaction: transaction.to_owned(),
                call_id: call_id.to_owned(),
                invite: Box::new(InviteText::of(invite)),
            })
        });
    }

    /// A peer calls, and waits for an answer.
    pub(crate) fn waiting(&self, transaction: &str, call_id: &str, caller: &WaitingCaller) {
        self.put(|| {
            let dialog = caller.dialog.as_ref();
            Job::Line(Line::Waiting {
                transaction: transaction.to_owned(),
                call_id: call_id.to_owned(),
                invite: Box::new(InviteText::of(&caller.invite)),
                dialog: dialog.map(|dialog| Box::new(DialogText::of(dialog))),
            })
        });
    }

    /// A leg is answered.
    pub(crate) fn leg(&self, transaction: &str, call_id: &str, dialog: &SavedDialog) {
        self.put(|| {
            Job::Line(Line::Leg {
                transaction: transaction.to_owned(),
                call_id: call_id.to_owned(),
                dialog: Box::new(DialogText::of(dialog)),
            })
        });
    }

    /// A leg has ended.
    pub(crate) fn leg_ended(&self, transaction: &str, call_id: &str) {
        self.put(|| {
            Job::Line(Line::LegEnded {
                transaction: transaction.to_owned(),
                call_id: call_id.to_owned(),
            })
        });
    }

    /// A call is over, its handler told.
    pub(crate) fn ended(&self, transaction: &str) {
        self.put(|| {
            Job::Line(Line::Ended {
                transaction: transaction.to_owned(),
            })
        });
    }

    /// Leaves the file to the process that takes over, and writes on beside it.
    ///
    /// # Errors
    /// What the system says; then all is as it was.
    pub(crate) fn step_aside(&self) -> std::io::Result<()> {
        self.done(Job::StepAside).unwrap_or(Ok(()))
    }

    /// Takes the file back from a process that took over and is gone; what that has left.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn step_back(&self) -> std::io::Result<Left> {
        self.done(Job::StepBack)
            .unwrap_or_else(|| Ok(Left::default()))
    }

    /// Takes over what a process has left that wrote on beside the file and is gone.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn absorb(&self) -> std::io::Result<Left> {
        self.done(Job::Absorb)
            .unwrap_or_else(|| Ok(Left::default()))
    }

    /// Waits until the thread has done something; `None` without a journal.
    fn done<T>(
        &self,
        job: impl FnOnce(Sender<std::io::Result<T>>) -> Job,
    ) -> Option<std::io::Result<T>> {
        let jobs = self.jobs.as_ref()?;
        let gone = || std::io::Error::other("the journal's thread is gone");
        let (reply, waiting) = crossbeam_channel::bounded(1);
        if jobs.send(job(reply)).is_err() {
            return Some(Err(gone()));
        }
        Some(waiting.recv().unwrap_or_else(|_| Err(gone())))
    }

    /// Whether anything is written.
    pub(crate) fn is_on(&self) -> bool {
        self.jobs.is_some()
    }

    fn put(&self, job: impl FnOnce() -> Job) {
        // Never waits: a media thread calls.
        if let Some(jobs) = &self.jobs
            && jobs.try_send(job()).is_err()
        {
            tracing::error!("a line of the journal is lost: too many wait for the disk");
        }
    }

    /// Ends the thread, once everything that waits is written.
    pub(crate) fn stop(&self) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job::Stop);
        }
    }
}

fn run(queue: &Receiver<Job>, mut file: JournalFile) {
    loop {
        let job = match file.due() {
            Some(time) => queue.recv_deadline(time),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match job {
            Ok(Job::Asked(event)) => {
                file.write(Line::Asked {
                    sequence: event.sequence,
                    details: Box::new(event.call_details.clone()),
                });
            }
            Ok(Job::Line(line)) => {
                file.write(line);
            }
            Ok(Job::Kept(line, written)) => {
                // Whoever waits may have gone.
                let _ = written.send(file.write(line));
            }
            // Whoever waits may have gone.
            Ok(Job::StepAside(done)) => drop(done.send(file.step_aside())),
            Ok(Job::StepBack(done)) => drop(done.send(file.step_back())),
            Ok(Job::Absorb(done)) => drop(done.send(file.absorb())),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
        file.tend();
    }
    file.close();
}
