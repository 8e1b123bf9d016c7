//! The running simulator, and what a program does with it.

mod calls;
mod sessions;
mod skill;
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alexa::Alexa;
use crate::authority::Authority;
use crate::config::Secret;
use crate::control::Control;
use crate::phone::Phone;

pub use self::start::StartError;

/// A running simulator. Dropping it stops it at once; [`shutdown`](Self::shutdown) stops it in order.
#[derive(Debug)]
pub struct Simulator {
    alexa: Arc<Alexa>,
    control: Arc<Control>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    http: JoinHandle<()>,
    lines: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// The address of the Alexa service and the control API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What requests carry as `apiEndpoint`; a component under test has it in `api_hosts`.
    pub fn api_endpoint(&self) -> &str {
        &self.alexa.api_endpoint
    }

    /// The origin from which chains are served: a component under test has it as `chain_origin`.
    pub fn chain_origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The root certificate as PEM: a component under test has it as `alexa_roots`.
    pub fn roots_pem(&self) -> &str {
        self.alexa.authority.roots_pem()
    }

    /// Where [`roots_pem`](Self::roots_pem) lies as a file.
    pub fn roots_path(&self) -> PathBuf {
        self.alexa.authority.roots_path()
    }

    /// The certificate authority, to sign further requests with.
    pub fn authority(&self) -> &Authority {
        &self.alexa.authority
    }

    /// The control API's token.
    pub fn token(&self) -> &Secret {
        &self.control.token
    }

    /// The address of the devices' SIP socket.
    pub fn device_address(&self) -> SocketAddr {
        self.alexa.devices.line().address()
    }

    /// The phone's SIP address, for UDP and TCP.
    pub fn phone_address(&self) -> Option<SocketAddr> {
        self.control.phone.as_ref().map(Phone::address)
    }

    /// Where Login with Amazon gives tokens: a component under test has it as `lwa_url`.
    pub fn login_url(&self) -> String {
        format!("http://{}/auth/o2/token", self.address)
    }

    /// Hangs up all calls, stops listening and gives every socket back.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for line in std::mem::take(&mut self.lines) {
            // A task that was aborted has ended, too.
            let _ = line.await;
        }
        let _ = (&mut self.http).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
