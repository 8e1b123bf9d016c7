//! The component under wasmtime, and whole calls end to end.
