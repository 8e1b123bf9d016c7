//! A small wasmtime host for the skillcall component.
