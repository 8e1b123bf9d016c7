//! The control API's start.

use std::sync::Arc;

use super::{Sidecar, StartError, io};
use crate::applications::Applications;
use crate::config::Secrets;
use crate::control::{AccessKeys, Control, ControlServer, router};
use crate::engine::Throttle;
use crate::gateway::Switchboard;
use crate::meetings::Meetings;
use crate::speech::SpeechService;

impl Sidecar {
    pub(super) fn start_control(
        &mut self,
        secrets: Secrets,
        (speech, applications, meetings): (Arc<SpeechService>, Arc<Applications>, Arc<Meetings>),
        switchboard: Option<Arc<Switchboard>>,
        used_nonces: &[(i64, String)],
        inherited: Option<std::net::TcpListener>,
    ) -> Result<Arc<Control>, StartError> {
        let address = self.config.control.listen;
        let listener = match inherited {
            Some(listener) => listener,
            None => std::net::TcpListener::bind(address)
                .map_err(io(format!("control API on {address}")))?,
        };
        self.control = listener.local_addr().map_err(io("control API"))?;
        let port = self.control.port();
        let mut hosts = vec![
            self.control.to_string(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
            format!("[::1]:{port}"),
        ];
        hosts.extend(self.config.control.hosts.iter().cloned());
        let access_keys = AccessKeys::parse(secrets.access_keys.as_deref().unwrap_or_default())
            .map_err(std::io::Error::other)
            .map_err(io("[control] access-keys-file"))?;
        let control = Arc::new(Control {
            token: secrets.control_token,
            access_keys,
            hosts,
            workers: self.workers.clone(),
            figures: Arc::clone(&self.figures),
            speech,
            traces: self.traces.clone(),
            applications,
            nonces: Control::nonces(used_nonces),
            meetings,
            trunks: self.trunks.clone(),
            phones: Arc::clone(&self.phones),
            changes: Control::changes(),
            creations: Throttle::per_second(self.config.limits.calls_per_second as usize),
            most_creations: self.config.limits.calls_per_second as usize,
            most_calls: self.config.limits.calls as usize,
            port_pairs: self.config.rtp.ports.pairs().into(),
            known: Arc::clone(&self.known),
            bans: Arc::clone(&self.bans),
            draining: Arc::clone(&self.draining),
            switchboard,
            journal: self.journal.clone(),
            reload: self.reload.clone(),
            captures: Arc::clone(&self.tap.single),
            front: self.front.clone(),
            reachable: Arc::clone(&self.reachable),
            elder: self.elder.clone(),
        });
        let server = Arc::new(ControlServer::new(router(Arc::clone(&control))));
        server
            .serve(listener)
            .map_err(io(format!("control API on {address}")))?;
        self.control_server = Some(server);
        Ok(control)
    }
}
