//! The host's imports as [`Host`].

use std::time::Duration;

use skillcall_protocol::sma::{Event, RequestedAction};

use super::bindings::skillcall::host::{settings, state};
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::bindings::wasi::http::outgoing_handler;
use super::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use super::bindings::wasi::io::streams::StreamError;
use super::bindings::wasi::random::random;
use super::custom_flow;
use crate::host::{Host, HostError, OutboundReply, OutboundRequest, SendError};

/// The imports.
pub(super) struct Outside;

impl Host for Outside {
    fn state_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        state::get(key).map_err(state_error)
    }

    fn state_set(&self, key: &str, value: &[u8], ttl: u32) -> Result<(), HostError> {
        state::set(key, value, Some(ttl)).map_err(state_error)
    }

    fn state_delete(&self, key: &str) -> Result<(), HostError> {
        state::delete(key).map_err(state_error)
    }

    fn state_claim(&self, key: &str, value: &[u8], ttl: u32) -> Result<bool, HostError> {
        state::claim(key, value, ttl).map_err(state_error)
    }

    fn setting(&self, name: &str) -> Result<Option<String>, HostError> {
        settings::get(name).map_err(settings_error)
    }

    fn setting_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        settings::get_bytes(name).map_err(settings_error)
    }

    fn now_ms(&self) -> u64 {
        let now = wall_clock::now();
        now.seconds
            .saturating_mul(1000)
            .saturating_add(u64::from(now.nanoseconds / 1_000_000))
    }

    fn monotonic_ms(&self) -> u64 {
        monotonic_clock::now() / 1_000_000
    }

    fn now_us(&self) -> u64 {
        let now = wall_clock::now();
        now.seconds
            .saturating_mul(1_000_000)
            .saturating_add(u64::from(now.nanoseconds / 1000))
    }

    fn monotonic_us(&self) -> u64 {
        monotonic_clock::now() / 1000
    }

    fn random(&self, bytes: &mut [u8]) {
        let drawn = random::get_random_bytes(bytes.len() as u64);
        for (byte, drawn) in bytes.iter_mut().zip(drawn) {
            *byte = drawn;
        }
    }

    fn sleep(&self, time: Duration) {
        monotonic_clock::subscribe_duration(nanos(time)).block();
    }

    fn send(&self, request: &OutboundRequest) -> Result<OutboundReply, SendError> {
        exchange(request, None)
    }

    fn send_meanwhile(
        &self,
        request: &OutboundRequest,
        after: Duration,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<OutboundReply, SendError> {
        let at = monotonic_clock::now().saturating_add(nanos(after));
        exchange(request, Some((at, meanwhile)))
    }

    fn custom_flow(&self, event: &Event) -> Result<Option<Vec<RequestedAction>>, String> {
        custom_flow::decide(event)
    }

    fn log(&self, line: &str) {
        eprintln!("skillcall: {line}");
    }
}

/// What is done when a reply is not there at a time.
type Meanwhile<'m> = Option<(u64, &'m mut dyn FnMut())>;

fn exchange(
    request: &OutboundRequest,
    meanwhile: Meanwhile<'_>,
) -> Result<OutboundReply, SendError> {
    let end = monotonic_clock::now().saturating_add(nanos(request.timeout));
    let future = begin(request)?;
    let response = await_response(&future, end, request.timeout, meanwhile)?;
    let headers = response
        .headers()
        .entries()
        .into_iter()
        .filter_map(|(name, value)| Some((name, String::from_utf8(value).ok()?)))
        .collect();
    let status = response.status();
    let body = read_body(&response, end, request)?;
    Ok(OutboundReply {
        status,
        headers,
        body,
    })
}

fn begin(request: &OutboundRequest) -> Result<FutureIncomingResponse, SendError> {
    let unusable = || SendError::Url(request.url.clone());
    let (scheme, rest) = match (
        request.url.strip_prefix("https://"),
        request.url.strip_prefix("http://"),
    ) {
        (Some(rest), _) => (Scheme::Https, rest),
        (None, Some(rest)) => (Scheme::Http, rest),
        (None, None) => return Err(unusable()),
    };
    let (authority, path) = rest
        .split_at_checked(rest.find('/').unwrap_or(rest.len()))
        .ok_or_else(unusable)?;
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields
            .append(name, value.as_bytes())
            .map_err(|error| SendError::Connection(format!("header {name}: {error:?}")))?;
    }
    if request.method == "POST" {
        let length = request.body.len().to_string();
        fields
            .set("content-length", &[length.into_bytes()])
            .map_err(|error| SendError::Connection(format!("content-length: {error:?}")))?;
    }
    let outgoing = OutgoingRequest::new(fields);
    let method = if request.method == "POST" {
        Method::Post
    } else {
        Method::Get
    };
    outgoing.set_method(&method).map_err(|()| unusable())?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(|()| unusable())?;
    outgoing
        .set_authority(Some(authority))
        .map_err(|()| unusable())?;
    outgoing
        .set_path_with_query(Some(if path.is_empty() { "/" } else { path }))
        .map_err(|()| unusable())?;
    let options = RequestOptions::new();
    let timeout = nanos(request.timeout);
    // A host that has no such time-out says so; the poll below is ours either way.
    let _ = options.set_connect_timeout(Some(timeout));
    let _ = options.set_first_byte_timeout(Some(timeout));
    let _ = options.set_between_bytes_timeout(Some(timeout));
    let body = outgoing
        .body()
        .map_err(|()| SendError::Connection("the request has no body".to_owned()))?;
    let future = outgoing_handler::handle(outgoing, Some(options))
        .map_err(|code| refused(&code, request.timeout))?;
    if !request.body.is_empty() {
        let stream = body.write().map_err(|()| {
            SendError::Connection("the request's body cannot be written".to_owned())
        })?;
        for piece in request.body.chunks(4096) {
            stream
                .blocking_write_and_flush(piece)
                .map_err(|error| SendError::Connection(format!("{error:?}")))?;
        }
        drop(stream);
    }
    OutgoingBody::finish(body, None).map_err(|code| refused(&code, request.timeout))?;
    Ok(future)
}

fn await_response(
    future: &FutureIncomingResponse,
    end: u64,
    timeout: Duration,
    mut meanwhile: Meanwhile<'_>,
) -> Result<IncomingResponse, SendError> {
    use super::bindings::wasi::io::poll::poll;
    let (ready, late) = (future.subscribe(), monotonic_clock::subscribe_instant(end));
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(response),
            Some(Ok(Err(code))) => return Err(refused(&code, timeout)),
            Some(Err(())) => {
                return Err(SendError::Connection(
                    "the reply was taken already".to_owned(),
                ));
            }
            None => match meanwhile.take().filter(|(at, _)| *at < end) {
                // The host carries on with the request while something else is done here.
                Some((at, act)) => {
                    let due = monotonic_clock::subscribe_instant(at);
                    if poll(&[&ready, &due]) == [1] {
                        act();
                    } else {
                        meanwhile = Some((at, act));
                    }
                }
                None => {
                    if poll(&[&ready, &late]) == [1] {
                        return Err(SendError::Timeout(timeout));
                    }
                }
            },
        }
    }
}

fn read_body(
    response: &IncomingResponse,
    end: u64,
    request: &OutboundRequest,
) -> Result<Vec<u8>, SendError> {
    use super::bindings::wasi::io::poll::poll;
    let body = response
        .consume()
        .map_err(|()| SendError::Connection("the reply has no body".to_owned()))?;
    let stream = body
        .stream()
        .map_err(|()| SendError::Connection("the reply's body cannot be read".to_owned()))?;
    let (ready, late) = (stream.subscribe(), monotonic_clock::subscribe_instant(end));
    let mut bytes = Vec::new();
    loop {
        match stream.read(16 * 1024) {
            Ok(piece) if piece.is_empty() => {
                if poll(&[&ready, &late]) == [1] {
                    return Err(SendError::Timeout(request.timeout));
                }
            }
            Ok(piece) => {
                bytes.extend_from_slice(&piece);
                if bytes.len() > request.max_reply {
                    return Err(SendError::TooLong(request.max_reply));
                }
            }
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(SendError::Connection(error.to_debug_string()));
            }
        }
    }
}

fn refused(code: &ErrorCode, timeout: Duration) -> SendError {
    match code {
        ErrorCode::HttpRequestDenied => SendError::Denied,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => SendError::Timeout(timeout),
        other => SendError::Connection(format!("{other:?}")),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn state_error(error: state::Error) -> HostError {
    HostError(match error {
        state::Error::Unavailable(why) => format!("state: {why}"),
        state::Error::BadKey => "state: the host refuses the key".to_owned(),
        state::Error::TooLarge => "state: the value is too large".to_owned(),
    })
}

fn settings_error(error: settings::Error) -> HostError {
    HostError(match error {
        settings::Error::Unavailable(why) => format!("settings: {why}"),
        settings::Error::BadName => "settings: the host refuses the name".to_owned(),
    })
}
