//! What the demo tells whoever watches, and how it waits.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Tells the story on the terminal.
pub(super) struct Stage {
    start: Instant,
    quiet: bool,
}

impl Stage {
    /// A stage; with `json` the story goes to standard error.
    pub(super) fn new(json: bool) -> Self {
        Self {
            start: Instant::now(),
            quiet: json,
        }
    }

    /// One line of the story, with the seconds since the start.
    pub(super) fn say(&self, line: &str) {
        self.text(&format!(
            "demo {:6.1} s  {line}\n",
            self.start.elapsed().as_secs_f32()
        ));
    }

    /// Text as it is.
    pub(super) fn text(&self, text: &str) {
        if self.quiet {
            eprint!("{text}");
        } else {
            print!("{text}");
        }
    }
}

/// Waits until `look` finds something, for at most `patience`.
pub(super) async fn wait_for<T, F, Fut>(
    patience: Duration,
    what: &str,
    look: F,
) -> anyhow::Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let end = tokio::time::Instant::now() + patience;
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        if let Some(found) = look().await {
            return Ok(found);
        }
        if tokio::time::Instant::now() >= end {
            bail!(
                "waited {} s for {what} in vain; `-v` shows the log",
                patience.as_secs()
            );
        }
    }
}
