//! What must not leave a part: phone numbers (all but the last four digits), tokens and other secrets, SDP keys, and
//! the digits that somebody pressed. Single ones too: a PIN may be asked for digit by digit.
//!
//! | form | function | by what |
//! |---|---|---|
//! | JSON | [`json`] | the members' names, and the text rules in each string |
//! | SIP message | [`sip`] | the headers' names, the body by its form |
//! | SDP | [`sdp`] | the lines' types |
//! | anything else | [`text`] | numbers, bearer tokens, `Atza|`, `Atzr|`, `Atc|`, JWTs, `name=value` of secret names |
//! | unknown | [`any`] | looks for one of the above |
//!
//! Each may be applied again to its own result without changing it. Only [`any`] can then see another form: what hiding
//! turned into JSON, it reads as JSON.

mod json;
mod names;
mod numbers;
mod sdp;
mod sip;
mod tokens;

use std::borrow::Cow;

pub use json::json;
pub use sdp::sdp;
pub use sip::sip;

/// What stands in place of a secret.
pub const HIDDEN: &str = "[hidden]";

/// What stands in place of several digits that somebody pressed.
pub const DIGITS: &str = "[digits]";

/// What stands in place of one digit that somebody pressed.
pub const DIGIT: &str = "[digit]";

/// The most rounds of redaction that one text gets.
const ROUNDS: usize = 8;

/// Redacts free text: phone numbers of seven digits and more keep their last four, tokens and the values of secret
/// names vanish. Lines of SDP within it follow the rules of [`sdp`].
#[must_use]
pub fn text(input: &str) -> String {
    free(input).into_owned()
}

/// [`text`], which costs little where nothing is to be hidden.
fn free(input: &str) -> Cow<'_, str> {
    if !input.contains('\n') && !sdp::is_secret_line(input) {
        return plain(input);
    }
    let mut out = String::with_capacity(input.len());
    for line in input.split_inclusive('\n') {
        if sdp::is_secret_line(line) {
            sdp::line(line, &mut out);
        } else {
            out.push_str(&plain(line));
        }
    }
    Cow::Owned(out)
}

/// Numbers and tokens in free text.
fn plain(input: &str) -> Cow<'_, str> {
    settled(input, |text| then(tokens::redact(text), numbers::redact))
}

/// Applies `next` to what came before it.
fn then<'t>(text: Cow<'t, str>, next: impl Fn(&str) -> Cow<'_, str>) -> Cow<'t, str> {
    match text {
        Cow::Borrowed(text) => next(text),
        Cow::Owned(text) => Cow::Owned(next(&text).into_owned()),
    }
}

/// Applies `once` until it changes nothing: what is hidden can leave its neighbours looking like a number themselves.
/// Each round but the last hides something, so few are needed.
fn settled(input: &str, once: impl Fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    let mut before = match once(input) {
        Cow::Owned(changed) if changed != input => changed,
        _ => return Cow::Borrowed(input),
    };
    for _ in 0..ROUNDS {
        let after = match once(&before) {
            Cow::Owned(changed) if changed != before => changed,
            _ => break,
        };
        before = after;
    }
    Cow::Owned(before)
}

/// Redacts text of unknown form: JSON when it is an object or an array, a SIP message when its first line says so, SDP
/// when it begins with `v=0`, otherwise free text.
#[must_use]
pub fn any(input: &str) -> String {
    unknown(input).into_owned()
}

/// [`any`], which costs little where nothing is to be hidden.
fn unknown(input: &str) -> Cow<'_, str> {
    let start = input.trim_start();
    if start.starts_with(['{', '['])
        && let Some(redacted) = json(input.as_bytes())
    {
        return Cow::Owned(redacted);
    }
    if sip::is_message(start) {
        return Cow::Owned(sip(input));
    }
    if start.starts_with("v=0\r") || start.starts_with("v=0\n") {
        return Cow::Owned(sdp(input));
    }
    free(input)
}

/// Redacts a file's path: like [`text`], but runs of digits that are a date (`20260131`) stay, as folders are named so.
#[must_use]
pub fn path(input: &str) -> String {
    settled(input, |text| {
        then(tokens::redact(text), numbers::redact_but_dates)
    })
    .into_owned()
}
