//! Spin's own imports, as the composed component has them.

use super::key_value::KeyValueStore;
use super::variables::check_name;
use crate::instance::{Instance, Platform};
use std::collections::{BTreeMap, BTreeSet};
use wasmtime::component::{HasSelf, Linker, Resource};

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../adapters/spin/wit/deps/spin",
        inline: "
            package skillcall:spin-harness;
            world imports {
                import fermyon:spin/key-value@2.0.0;
                import fermyon:spin/variables@2.0.0;
            }
        ",
        world: "skillcall:spin-harness/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/key-value.store": crate::spin_harness::KeyValueStore },
        require_store_data_send: true,
    });
}

use bindings::fermyon::spin::key_value::{self, Error as StoreError};
use bindings::fermyon::spin::variables::{self, Error as VariableError};

/// What one component is granted.
#[derive(Debug)]
pub(crate) struct SpinImports {
    pub(super) component: String,
    /// The component's variables, filled in.
    pub(super) variables: BTreeMap<String, String>,
    /// The labels that the component may open.
    pub(super) granted: BTreeSet<String>,
    /// Every store that there is.
    pub(super) stores: BTreeMap<String, KeyValueStore>,
}

pub(crate) fn add_spin_to_linker(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    bindings::Imports::add_to_linker::<_, HasSelf<_>>(linker, |instance| instance)
}

impl Instance {
    fn spin(&self) -> wasmtime::Result<&SpinImports> {
        match &self.platform {
            Platform::Spin(spin) => Ok(spin),
            Platform::Skillcall { .. } => Err(wasmtime::Error::msg("this host is not Spin")),
        }
    }

    fn store(&self, store: &Resource<KeyValueStore>) -> wasmtime::Result<KeyValueStore> {
        Ok(self.table.get(store)?.clone())
    }
}

impl key_value::Host for Instance {}

impl key_value::HostStore for Instance {
    async fn open(
        &mut self,
        label: String,
    ) -> wasmtime::Result<Result<Resource<KeyValueStore>, StoreError>> {
        let spin = self.spin()?;
        if !spin.granted.contains(&label) {
            return Ok(Err(StoreError::AccessDenied));
        }
        let Some(store) = spin.stores.get(&label).cloned() else {
            return Ok(Err(StoreError::NoSuchStore));
        };
        Ok(Ok(self.table.push(store)?))
    }

    async fn get(
        &mut self,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, StoreError>> {
        Ok(Ok(self.store(&store)?.get(&key)))
    }

    async fn set(
        &mut self,
        store: Resource<KeyValueStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), StoreError>> {
        let set = self.store(&store)?.set(&key, &value);
        Ok(set.map_err(StoreError::Other))
    }

    async fn delete(
        &mut self,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), StoreError>> {
        self.store(&store)?.delete(&key);
        Ok(Ok(()))
    }

    async fn exists(
        &mut self,
        store: Resource<KeyValueStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, StoreError>> {
        Ok(Ok(self.store(&store)?.get(&key).is_some()))
    }

    async fn get_keys(
        &mut self,
        store: Resource<KeyValueStore>,
    ) -> wasmtime::Result<Result<Vec<String>, StoreError>> {
        Ok(Ok(self.store(&store)?.keys()))
    }

    async fn drop(&mut self, store: Resource<KeyValueStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl variables::Host for Instance {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, VariableError>> {
        let spin = self.spin()?;
        if let Err(error) = check_name(&name) {
            return Ok(Err(VariableError::InvalidName(error.to_string())));
        }
        let value = spin.variables.get(&name).cloned();
        let component = &spin.component;
        Ok(value.ok_or_else(|| {
            VariableError::Undefined(format!("no variable for {component:?}.{name:?}"))
        }))
    }
}
