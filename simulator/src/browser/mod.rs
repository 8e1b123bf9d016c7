//! A browser as an Echo: a page that a person calls and is called with, by WebRTC, through the same sessions of CallSignaling.
//!
//! | module | what |
//! |---|---|
//! | `mailbox` | what a page is told, until it has fetched it |
//! | `leg` | a session's leg whose descriptions a page makes |
//! | `page` | the page's files |
//!
//! A page takes a device's place; calls of that device to come are the page's. The page fetches what it is told by long polls and says
//! what it does by the routes of sessions, as tests do.

mod leg;
mod mailbox;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use skillcall_protocol::signaling::Participant;
use tokio::time::Instant;

use self::leg::BrowserLeg;
pub(crate) use self::mailbox::Told;
use self::mailbox::{Mailbox, Numbered};
pub(crate) use self::page::file;
use crate::alexa::lock;
use crate::signaling::endpoint::{Endpoint, Leg};

/// How long a fetch waits for news.
const POLL: Duration = Duration::from_secs(20);
/// How long after its last fetch a page counts as gone.
const AWAY: Duration = Duration::from_secs(30);

/// A page that is another device's by now, or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this page is no device any more: another one took its place, or it did not ask for too long"
)]
pub(crate) struct NotHere;

/// The devices whose places pages have taken.
#[derive(Debug)]
pub(crate) struct Browsers {
    /// By device.
    pages: Mutex<BTreeMap<String, Arc<Mailbox>>>,
    poll: Duration,
    away: Duration,
}

impl Default for Browsers {
    fn default() -> Self {
        Self::with(POLL, AWAY)
    }
}

impl Browsers {
    fn with(poll: Duration, away: Duration) -> Self {
        Self {
            pages: Mutex::default(),
            poll,
            away,
        }
    }

    /// A page takes a device's place; one that had it, loses it. Gives the page's id.
    pub(crate) fn attach(&self, device_id: &str) -> String {
        let mailbox = Arc::new(Mailbox::new(uuid::Uuid::new_v4().to_string()));
        let id = mailbox.id().to_owned();
        let before = lock(&self.pages).insert(device_id.to_owned(), mailbox);
        if let Some(before) = before {
            before.close();
        }
        id
    }

    /// A page gives the device back.
    pub(crate) fn detach(&self, page: &str) {
        lock(&self.pages).retain(|_, mailbox| {
            let stays = mailbox.id() != page;
            if !stays {
                mailbox.close();
            }
            stays
        });
    }

    /// What a page is told after the event `after`; waits for news, but not for ever.
    pub(crate) async fn news(&self, page: &str, after: u64) -> Result<Vec<Numbered>, NotHere> {
        let found = lock(&self.pages)
            .values()
            .find(|mailbox| mailbox.id() == page)
            .cloned();
        let mailbox = found.ok_or(NotHere)?;
        mailbox.after(after, Instant::now() + self.poll).await
    }

    /// The page in a device's place, if it is there.
    fn page_of(&self, device_id: &str) -> Option<Arc<Mailbox>> {
        let mut pages = lock(&self.pages);
        let mailbox = pages.get(device_id)?;
        if mailbox.is_away(self.away) {
            mailbox.close();
            pages.remove(device_id);
            return None;
        }
        Some(Arc::clone(mailbox))
    }
}

/// Legs of pages where there are pages, else of the other endpoint.
#[derive(Debug)]
pub(crate) struct OrBrowser {
    browsers: Arc<Browsers>,
    other: Arc<dyn Endpoint>,
}

impl OrBrowser {
    pub(crate) fn new(browsers: Arc<Browsers>, other: Arc<dyn Endpoint>) -> Self {
        Self { browsers, other }
    }
}

impl Endpoint for OrBrowser {
    fn leg(&self, session_id: &str, device_id: &str, participants: &[Participant]) -> Box<dyn Leg> {
        match self.browsers.page_of(device_id) {
            Some(mailbox) => Box::new(BrowserLeg::new(mailbox, session_id, participants)),
            None => self.other.leg(session_id, device_id, participants),
        }
    }
}

#[cfg(test)]
mod tests {
    use skillcall_protocol::signaling::{CallResult, RenegotiationKind, ResultCode};

    use super::*;
    use crate::signaling::endpoint::Scripted;

    #[tokio::test]
    async fn a_page_in_a_devices_place_is_told_and_another_device_is_not_concerned() {
        let browsers = Arc::new(Browsers::default());
        let endpoint = OrBrowser::new(Arc::clone(&browsers), Arc::new(Scripted::default()));
        let page = browsers.attach("device");
        let mut leg = endpoint.leg("s-1", "device", &[]);
        assert_eq!(leg.answer("v=0 offer", None), Ok(None));
        leg.ended(&CallResult::new(ResultCode::Success, "over"));
        let mut others = endpoint.leg("s-2", "another", &[]);
        assert!(
            others.offer(None).is_ok(),
            "a device without a page offers by itself"
        );

        let news = browsers.news(&page, 0).await.unwrap();
        let told: Vec<_> = news.iter().map(|event| &event.told).collect();
        assert!(
            matches!(&told[..], [Told::Incoming { session, offer, .. }, Told::Ended { code, .. }]
                if session == "s-1" && offer == "v=0 offer" && code == "SUCCESS"),
            "{told:?}"
        );
        let last = news.last().unwrap().number;
        let waiting = tokio::spawn({
            let browsers = Arc::clone(&browsers);
            async move { browsers.news(&page, last).await }
        });
        assert_eq!(
            leg.answer("v=0 other", Some(&RenegotiationKind::CallHold)),
            Ok(None)
        );
        let news = waiting.await.unwrap().unwrap();
        assert!(
            matches!(
                &news[..],
                [Numbered {
                    told: Told::Offer { .. },
                    ..
                }]
            ),
            "{news:?}"
        );
    }

    #[tokio::test]
    async fn a_fetch_without_news_ends() {
        let browsers = Browsers::with(Duration::ZERO, AWAY);
        let page = browsers.attach("device");
        assert_eq!(browsers.news(&page, 0).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn the_last_page_has_the_device() {
        let browsers = Browsers::default();
        let first = browsers.attach("device");
        let second = browsers.attach("device");
        assert_eq!(browsers.news(&first, 0).await, Err(NotHere));
        browsers.detach(&first);
        assert_eq!(
            browsers.page_of("device").map(|page| page.id() == second),
            Some(true)
        );
        browsers.detach(&second);
        assert!(browsers.page_of("device").is_none());
    }

    #[tokio::test]
    async fn who_does_not_ask_is_gone() {
        let browsers = Arc::new(Browsers::with(Duration::from_secs(3_600), Duration::ZERO));
        let page = browsers.attach("device");
        let asking = tokio::spawn({
            let (browsers, page) = (Arc::clone(&browsers), page.clone());
            async move { browsers.news(&page, 0).await }
        });
        while lock(&browsers.pages)["device"].waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(browsers.page_of("device").is_some(), "who asks is there");
        asking.abort();
        assert!(asking.await.is_err());
        assert!(browsers.page_of("device").is_none());
        assert_eq!(browsers.news(&page, 0).await, Err(NotHere));
    }
}
