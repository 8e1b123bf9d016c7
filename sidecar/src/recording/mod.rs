//! Recordings: tapped on the media thread, written by a thread of their own.
//!
//! A slow disk must not delay a packet, so a worker only collects frames and hands them over in
//! pieces. When the disk cannot follow, the recording fails and says so; the call goes on.

mod tap;
mod writer;

use std::sync::Arc;

use crossbeam_channel::Sender;
use skillcall_media::recorder::Track;
use skillcall_protocol::sma::action::S3Object;

use crate::bucket::Buckets;
use crate::engine::Failure;
use crate::figures::Figures;
pub(crate) use tap::{HeardFrame, Tap};

/// Pieces of half a second that may wait for the disk, of all recordings together: about 16 MB.
const QUEUE: usize = 1024;

/// What became of a recording.
#[derive(Debug, Clone)]
pub(crate) enum Report {
    /// The file is there and takes audio.
    Opened,
    /// It could not be made, or written on.
    Failed(Failure),
    /// It is complete.
    Finished(Stored),
}

/// A complete recording.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Where it lies.
    pub(crate) object: S3Object,
    /// Its length in seconds.
    pub(crate) seconds: f64,
}

/// Whom a recording reports to. Called on the writing thread.
pub(crate) type Reporter = Arc<dyn Fn(Report) + Send + Sync>;

pub(crate) enum Job {
    Open {
        id: u64,
        object: S3Object,
        track: Track,
        call_recording: bool,
        reporter: Reporter,
    },
    Frames {
        id: u64,
        frames: Vec<HeardFrame>,
    },
    Finish {
        id: u64,
    },
    Stop,
}

/// The way to the writing thread.
#[derive(Clone)]
pub(crate) struct RecordingStore {
    jobs: Sender<Job>,
    ids: Arc<std::sync::atomic::AtomicU64>,
}

impl RecordingStore {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(
        buckets: Arc<Buckets>,
        figures: Arc<Figures>,
    ) -> std::io::Result<(Self, std::thread::JoinHandle<()>)> {
        let (jobs, queue) = crossbeam_channel::bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("recordings".into())
            .spawn(move || writer::run(&queue, &buckets, &figures))?;
        Ok((
            Self {
                jobs,
                ids: Arc::default(),
            },
            thread,
        ))
    }

    /// Opens a file; the reporter is told. None when too much waits for the disk already.
    pub(crate) fn open(
        &self,
        object: S3Object,
        track: Track,
        call_recording: bool,
        reporter: Reporter,
    ) -> Option<Tap> {
        let id = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let job = Job::Open {
            id,
            object,
            track,
            call_recording,
            reporter,
        };
        self.jobs
            .try_send(job)
            .ok()
            .map(|()| Tap::new(id, track, self.jobs.clone()))
    }

    /// Ends the thread, once everything that waits is written.
    pub(crate) fn stop(&self) {
        let _ = self.jobs.send(Job::Stop);
    }
}
