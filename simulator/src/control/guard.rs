//! Who may use the control API.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Control;
use super::routes::problem;

/// Refuses a `Host` that is not this listener's, and every `Origin` but this listener's own: a page that has had its
/// name resolved to loopback still says the name in both.
pub(super) async fn origin(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    match check(request.headers(), control.address) {
        Ok(()) => next.run(request).await,
        Err(what) => problem(StatusCode::FORBIDDEN, what),
    }
}

/// Wants the bearer token.
pub(super) async fn token(
    State(control): State<Arc<Control>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    match given {
        Some(token) if control.token.is(token) => next.run(request).await,
        _ => problem(
            StatusCode::UNAUTHORIZED,
            "the control API wants `Authorization: Bearer <token>`",
        ),
    }
}

fn check(headers: &HeaderMap, address: SocketAddr) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts
        .next()
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if hosts.next().is_some() || !is_ours(host, address) {
        return Err("the Host header is not that of this listener");
    }
    for origin in headers.get_all(header::ORIGIN) {
        let authority = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"));
        if !authority.is_some_and(|authority| is_ours(authority, address)) {
            return Err("the Origin header is not that of this listener");
        }
    }
    Ok(())
}

/// Whether `host:port` means the listener: its own address, or loopback by number or as `localhost`.
fn is_ours(authority: &str, address: SocketAddr) -> bool {
    let Some((host, port)) = authority.rsplit_once(':') else {
        return false;
    };
    if port.parse() != Ok(address.port()) {
        return false;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip == address.ip(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_listener_is_ours() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7090));
        for (host, origin, right) in [
            (Some("127.0.0.1:7090"), None, true),
            (Some("localhost:7090"), None, true),
            (Some("[::1]:7090"), None, true),
            (Some("127.0.0.1:7090"), Some("http://127.0.0.1:7090"), true),
            (None, None, false),
            (Some("127.0.0.1"), None, false),
            (Some("127.0.0.1:80"), None, false),
            (Some("evil.example:7090"), None, false),
            (Some("127.0.0.1.evil.example:7090"), None, false),
            (Some("127.0.0.1:7090"), Some("http://evil.example"), false),
            (
                Some("127.0.0.1:7090"),
                Some("https://127.0.0.1:7090"),
                false,
            ),
            (Some("127.0.0.1:7090"), Some("null"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(header::HOST, host.parse().expect("a value"));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a value"));
            }
            assert_eq!(
                check(&headers, address).is_ok(),
                right,
                "{host:?} {origin:?}"
            );
        }
    }
}
