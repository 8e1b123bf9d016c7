//! What the tests share.

pub(crate) mod client;
pub(crate) mod guest;
pub(crate) mod upstream;

use skillcall_host::settings::{FileSettings, SettingName, Source};
use skillcall_host::{HostConfig, Server};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a test waits for what must happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Settings from pairs, and no environment.
pub(crate) fn settings(pairs: &[(&str, &str)]) -> Arc<FileSettings> {
    let source = |(name, value): &(&str, &str)| {
        let name = SettingName::new(name).expect("a name");
        (name, Source::Literal((*value).to_owned()))
    };
    let sources: BTreeMap<_, _> = pairs.iter().map(source).collect();
    Arc::new(FileSettings::with_environment(sources, |_| None))
}

/// A configuration for the guest on a free port.
pub(crate) fn config() -> HostConfig {
    let mut config = HostConfig::new(guest::guest().to_vec(), settings(&[]));
    config.listen.set_port(0);
    config
}

/// The guest, served.
pub(crate) async fn serve(change: impl FnOnce(&mut HostConfig)) -> Server {
    let mut config = config();
    change(&mut config);
    Server::start(config).await.expect("the server starts")
}

/// Waits until `happened`, and fails after [`LIMIT`].
pub(crate) async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + LIMIT;
    while !happened() {
        assert!(
            tokio::time::Instant::now() < end,
            "it did not come true: {what}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
