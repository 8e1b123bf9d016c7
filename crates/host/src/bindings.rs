//! Generated from `wit/`: what the component imports from the host, and what it exports in types.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "skillcall:skill/embedded",
    imports: { default: async },
    exports: { default: async },
    require_store_data_send: true,
});
