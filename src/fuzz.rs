//! What the fuzz targets run.

/// A certificate chain in PEM, against the compiled-in roots and against itself as root.
pub fn certificate_chain(data: &[u8]) {
    let _ = crate::verify::verify_chain(data, None, 1_800_000_000);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = crate::verify::verify_chain(data, Some(text), 1_800_000_000);
    }
}

/// A chain URL: what passes lies in Amazon's folder.
///
/// # Panics
/// When a URL passes that leads elsewhere.
pub fn chain_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(url) = skillcall_protocol::alexa::SignatureUrl::check(text) {
        let path = url.path();
        assert!(
            path.starts_with("/echo.api/") && !path.split('/').any(|s| s == ".." || s == "."),
            "{path:?}"
        );
        assert!(
            url.at_amazon()
                .starts_with("https://s3.amazonaws.com/echo.api/")
        );
    }
}

/// A key, a signature and a body, parted by the lengths in the first four bytes: nobody finds a right signature by chance.
///
/// # Panics
/// When arbitrary bytes count as signed.
pub fn signature(data: &[u8]) {
    // Two bytes each: a key of 2048 bits is longer than one byte could say.
    let Some((&[k0, k1, s0, s1], rest)) = data.split_first_chunk::<4>() else {
        return;
    };
    let length = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let (key, rest) = rest.split_at(length(k0, k1).min(rest.len()));
    let (signature, body) = rest.split_at(length(s0, s1).min(rest.len()));
    // Keys of exponent 1 or of a few bits can be forged by anybody; the crate refuses them.
    assert!(!crate::verify::fuzz_signature(key, body, signature) || key.len() > 64);
}
