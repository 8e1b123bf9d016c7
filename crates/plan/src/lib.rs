//! The call plan: read from TOML, checked, compiled, decoded.
