//! The way between both processes once the sockets have changed hands: each may say something at any time.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::frame::{Decoder, Frame};
use super::socket::read_all;
use crate::figures::{Figures, count};

/// Frames that may wait for the other process.
const QUEUE: usize = 64 * 1024;

/// Says something to the other process, and never waits.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    queue: Sender<Frame>,
    figures: Arc<Figures>,
}

impl Link {
    /// A way whose other end is not open yet: what is said waits.
    pub(super) fn new(figures: Arc<Figures>) -> (Self, Receiver<Frame>) {
        let (queue, waiting) = crossbeam_channel::bounded(QUEUE);
        (Self { queue, figures }, waiting)
    }

    /// False where too much waits already, or the other process is gone.
    pub(crate) fn send(&self, frame: Frame) -> bool {
        let counter = match &frame {
            Frame::Message(_) | Frame::Send(_) => Some(&self.figures.handover_passed),
            _ => None,
        };
        let sent = self.queue.try_send(frame).is_ok();
        if sent && let Some(counter) = counter {
            count(counter);
        } else if !sent {
            count(&self.figures.handover_dropped);
        }
        sent
    }
}

/// Writes what waits, on a thread of its own, until the last [`Link`] is gone, a [`Frame::Bye`] is written, or the other
/// process is gone.
pub(super) fn write_on(
    stream: UnixStream,
    waiting: Receiver<Frame>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("handover-write".into())
        .spawn(move || write(stream, &waiting))
}

fn write(mut stream: UnixStream, waiting: &Receiver<Frame>) {
    while let Ok(frame) = waiting.recv() {
        let is_last = frame == Frame::Bye;
        let bytes = match frame.encode() {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(%error, "a message is too long for the other process");
                continue;
            }
        };
        // Its reader sees the end, too.
        if stream.write_all(&bytes).is_err() || is_last {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// How the other process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last call was over.
    Bye,
    /// Without a word.
    Gone,
}

/// Reads what the other process says, on a thread of its own, and tells its end.
pub(super) fn read_on(
    stream: UnixStream,
    decoder: Decoder,
    mut each: impl FnMut(Frame) + Send + 'static,
    end: impl FnOnce(End) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("handover-read".into())
        .spawn(move || {
            let mut how = End::Gone;
            let read = read_all(stream, decoder, |frame| {
                if frame == Frame::Bye {
                    how = End::Bye;
                    return false;
                }
                each(frame);
                true
            });
            if let Err(error) = read {
                tracing::warn!(%error, "the other process of the hand-over");
            }
            end(how);
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_before_the_way_is_open_comes_first_and_the_end_is_told() {
        for (last, expected) in [(Some(Frame::Bye), End::Bye), (None, End::Gone)] {
            let (link, waiting) = Link::new(Arc::default());
            assert!(link.send(Frame::Release("a".into())));
            let (here, there) = UnixStream::pair().unwrap();
            let writing = write_on(here, waiting).unwrap();
            let (frames, came) = crossbeam_channel::unbounded();
            let (ends, ended) = crossbeam_channel::bounded(1);
            let reading = read_on(
                there,
                Decoder::default(),
                move |frame| frames.send(frame).unwrap(),
                move |how| ends.send(how).unwrap(),
            )
            .unwrap();
            assert!(link.send(Frame::Release("b".into())));
            if let Some(frame) = last {
                assert!(link.send(frame));
            }
            drop(link);
            writing.join().unwrap();
            reading.join().unwrap();
            let came: Vec<Frame> = came.iter().collect();
            assert_eq!(came, ["a", "b"].map(|csi| Frame::Release(csi.into())));
            assert_eq!(ended.recv().unwrap(), expected);
        }
    }

    #[test]
    fn whoever_is_gone_is_told_nothing() {
        let figures = Arc::<Figures>::default();
        let (link, waiting) = Link::new(Arc::clone(&figures));
        drop(waiting);
        assert!(!link.send(Frame::End));
        assert_eq!(figures.snapshot().handover_dropped, 1);
    }
}
