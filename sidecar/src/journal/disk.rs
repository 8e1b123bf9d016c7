//! Brings what is written to the disk, beside the thread that writes: a disk may take long, and the next line is to be with
//! the system at once.

use std::fs::File;
use std::io;

use crossbeam_channel::{Receiver, Sender, bounded};

/// The way to the thread that waits for the disk. It ends when this does.
pub(super) struct Disk(Sender<File>);

impl Disk {
    pub(super) fn start() -> io::Result<Self> {
        let (files, queue) = bounded(1);
        std::thread::Builder::new()
            .name("journal-disk".into())
            .spawn(move || run(&queue))?;
        Ok(Self(files))
    }

    /// Brings to the disk what the file has by now. False: it is still busy.
    pub(super) fn sync(&self, file: File) -> bool {
        self.0.try_send(file).is_ok()
    }
}

fn run(queue: &Receiver<File>) {
    let mut complained = false;
    while let Ok(file) = queue.recv() {
        match file.sync_data() {
            Ok(()) => complained = false,
            Err(error) if !std::mem::replace(&mut complained, true) => {
                tracing::error!(%error, "the journal does not reach the disk");
            }
            Err(_) => {}
        }
    }
}
