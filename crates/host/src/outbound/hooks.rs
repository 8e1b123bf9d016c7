//! The hook by which `wasi:http/outgoing-handler` sends through the shared client.

use super::Outbound;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// An instance's way out.
pub(crate) struct Hooks(pub(crate) Outbound);

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Done), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = self.0.clone();
        Box::new(async move {
            let response = outbound.send(request, options).await?;
            // The shared client drives the connection, so nothing is left to be done here.
            let done: Done = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}
