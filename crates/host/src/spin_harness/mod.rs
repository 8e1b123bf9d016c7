//! placeholder
use crate::instance::Instance;
pub(crate) struct SpinImports;
pub(crate) fn add_spin_to_linker(
    _: &mut wasmtime::component::Linker<Instance>,
) -> wasmtime::Result<()> {
    Ok(())
}
