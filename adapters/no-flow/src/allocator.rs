//! Memory for the event that comes in: the C library's allocator, which the target links anyway.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(align: usize, size: usize) -> *mut u8;
    fn free(pointer: *mut u8);
}

struct Libc;

#[global_allocator]
static ALLOCATOR: Libc = Libc;

// SAFETY: `aligned_alloc` gives null or memory of this size and alignment that nobody else has; C asks for an alignment
// of at least a pointer's and a size that is a multiple of it. `free` takes what it gave.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align().max(size_of::<usize>());
        match layout.size().checked_next_multiple_of(align) {
            Some(size) => unsafe { aligned_alloc(align, size) },
            None => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _layout: Layout) {
        unsafe { free(pointer) }
    }
}

/// Where the caller puts the event's lists and texts (the component model's canonical ABI). They only ever come new.
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    if !old.is_null() || old_size != 0 {
        core::arch::wasm32::unreachable()
    }
    if size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let layout = Layout::from_size_align(size, align);
    // SAFETY: the size is not 0.
    let memory = layout.map_or(core::ptr::null_mut(), |layout| unsafe {
        ALLOCATOR.alloc(layout)
    });
    if memory.is_null() {
        core::arch::wasm32::unreachable()
    }
    memory
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
