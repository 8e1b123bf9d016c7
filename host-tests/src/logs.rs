//! What was logged: by the component through its host, and by the parts themselves.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static INSTALLED: Once = Once::new();
/// More than a test program logs; a loop that logs without end must not fill the memory.
const MOST: usize = 16 << 20;

/// Keeps what is logged from now on, by all tests of this program.
pub fn keep() {
    INSTALLED.call_once(|| {
        let logs = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO);
        // Without an own subscriber a test reads an empty log, and fails.
        let _ = logs.with_writer(Kept).try_init();
    });
}

/// All that was kept.
#[must_use]
pub fn text() -> String {
    String::from_utf8_lossy(&LOGGED.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

struct Kept;

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < MOST {
            logged.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
