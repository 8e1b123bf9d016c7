//! The component, asked to say something to Alexa: `POST /signaling`, signed as events are.

use std::time::Duration;

use skillcall_protocol::signing::KeyRing;
use url::Url;

use super::exchange::{self, Failed};
use super::{CONNECT, Handler, HandlerError};
use crate::trace::CallIds;

/// Where the component takes orders.
const PATH: &str = "/signaling";
/// One exchange ends after this; Alexa's part in it has a shorter limit of the component's.
const LONGEST: Duration = Duration::from_secs(8);

/// The component's signed route.
pub(crate) struct Component {
    client: reqwest::Client,
    handler: Handler,
}

impl Component {
    /// The component at this origin.
    pub(crate) fn new(
        origin: &Url,
        keys: KeyRing,
        signed_replies: bool,
    ) -> Result<Self, HandlerError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(LONGEST)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(64)
            .user_agent(concat!("skillcall-sidecar/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let mut url = origin.clone();
        url.set_path(PATH);
        Ok(Self {
            client,
            handler: Handler {
                url,
                keys: Some(keys),
                signed_replies,
                is_lambda: false,
                places: None,
            },
        })
    }

    /// The keys that it shares with us.
    pub(crate) fn keys(&self) -> Option<&KeyRing> {
        self.handler.keys.as_ref()
    }

    /// Posts a body; status and body of the answer, or why there is none.
    pub(crate) async fn post(
        &self,
        ids: &CallIds,
        body: Vec<u8>,
    ) -> Result<(u16, Vec<u8>), String> {
        match exchange::post(&self.client, &self.handler, ids, body).await {
            Ok(reply) => Ok((reply.status, reply.body)),
            Err(Failed { reason, .. }) => Err(reason),
        }
    }
}
