//! `wasi:http/incoming-handler`: the HTTP export.

use super::Skill;
use super::bindings::exports::wasi::http::incoming_handler::Guest;
use super::bindings::wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use super::bindings::wasi::io::streams::StreamError;
use super::outside::Outside;
use crate::host::Host;
use crate::http::{self, MAX_BODY, Request, Response};

impl Guest for Skill {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let host = Outside;
        let request = read(request);
        let served = http::serve(&host, &request);
        if let Err(why) = reply(out, &served.response) {
            host.log(&format!("the response could not be sent: {why}"));
        }
        // The client has its answer; what follows costs it nothing.
        served.aftermath.run(&host);
    }
}

fn read(request: IncomingRequest) -> Request {
    let headers = request.headers().entries();
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(method) => method,
    };
    let target = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let body = request
        .consume()
        .map(|body| body_of(&body))
        .unwrap_or_default();
    Request {
        method,
        target,
        headers,
        body,
    }
}

/// The body, up to one byte more than is taken: enough to refuse it.
fn body_of(body: &IncomingBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(stream) = body.stream() else {
        return bytes;
    };
    while bytes.len() <= MAX_BODY {
        let wanted = (MAX_BODY + 1 - bytes.len()) as u64;
        match stream.blocking_read(wanted.min(64 * 1024)) {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => break,
        }
    }
    bytes
}

fn reply(out: ResponseOutparam, response: &Response) -> Result<(), String> {
    let headers = Fields::new();
    for (name, value) in &response.headers {
        headers
            .append(name, value.as_bytes())
            .map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let length = response.body.len().to_string();
    headers
        .set("content-length", &[length.into_bytes()])
        .map_err(|error| format!("content-length: {error:?}"))?;
    let outgoing = OutgoingResponse::new(headers);
    outgoing
        .set_status_code(response.status)
        .map_err(|()| "the status is refused".to_owned())?;
    let body = outgoing
        .body()
        .map_err(|()| "there is no body".to_owned())?;
    ResponseOutparam::set(out, Ok(outgoing));
    let stream = body
        .write()
        .map_err(|()| "the body cannot be written".to_owned())?;
    for piece in response.body.chunks(4096) {
        stream
            .blocking_write_and_flush(piece)
            .map_err(|error| format!("{error:?}"))?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|code| format!("{code:?}"))
}
