//! The wasmtime engine: a pool of instances, and a clock that interrupts them.

use std::path::PathBuf;
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How instances run, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// The time that a request may take until its reply begins, waiting included. 10 s.
    pub deadline: Duration,
    /// The time that the instance may work on after its reply began. 30 s.
    pub after_reply: Duration,
    /// The most linear memory of one instance, in bytes. 64 MiB.
    pub memory: usize,
    /// The most instances at once, at least 1. 64.
    pub concurrency: u32,
    /// How long a request waits for a free instance before it is turned away. 2 s.
    pub queue_wait: Duration,
    /// The stack of WebAssembly code, in bytes. 512 KiB.
    pub wasm_stack: usize,
    /// The folder in which compiled code is kept for the next start; none: the component is compiled each time. None. It
    /// must belong to the user of this process alone: what lies there is run.
    pub code_cache: Option<PathBuf>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            after_reply: Duration::from_secs(30),
            memory: 64 << 20,
            concurrency: 64,
            queue_wait: Duration::from_secs(2),
            wasm_stack: 512 << 10,
            code_cache: None,
        }
    }
}

/// How often running instances give way to others, and look at their deadline.
const TICK: Duration = Duration::from_millis(10);
/// The skill, its adapter, and two more.
const MEMORIES: u32 = 4;
/// A component of two such parts has about eight core instances.
const CORE_INSTANCES: u32 = 24;
const TABLES: u32 = 8;
const TABLE_KEEP_RESIDENT: usize = 16 << 10;

/// Bytes of a memory that are kept between two uses of its slot and cleared by hand, which is cheaper than giving them back to
/// the system. Where that says which pages were written (Linux 6.7), only those are cleared, and a page that is kept
/// costs nothing; elsewhere all of the lowest are.
fn keep_resident() -> usize {
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        4 << 20
    } else {
        256 << 10
    }
}

/// Makes an engine with its pool and starts its clock, which ends with the engine.
pub(crate) fn engine(config: &EngineConfig) -> wasmtime::Result<Engine> {
    let instances = config.concurrency.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(config.memory)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(keep_resident())
        .table_keep_resident(TABLE_KEEP_RESIDENT);
    let mut settings = Config::new();
    settings
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(config.wasm_stack)
        // The host's own frames lie on the same stack.
        .async_stack_size(config.wasm_stack.saturating_add(512 << 10));
    let engine = Engine::new(&settings)?;
    start_clock(&engine)?;
    Ok(engine)
}

fn start_clock(engine: &Engine) -> wasmtime::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("skillcall-epoch".into())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    Ok(())
}
