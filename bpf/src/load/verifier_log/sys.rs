//! The callback through which libbpf prints. It is called from C, so nothing may unwind
//! out of it, and what it prints may hold any bytes: names come from the object.
#![allow(unsafe_code)]

use libbpf_sys::libbpf_print_level;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `libbpf_print_fn_t`, whose `va_list` bindgen declares differently on each
/// architecture. As an argument it is a pointer on all of those that iterfs runs on.
type Callback = unsafe extern "C" fn(libbpf_print_level, *const c_char, *mut c_void) -> c_int;

unsafe extern "C" {
    /// vasprintf(3).
    fn vasprintf(text: *mut *mut c_char, format: *const c_char, arguments: *mut c_void) -> c_int;
}

/// Has libbpf print through [`super::print`] instead of to standard error.
pub(super) fn install() {
    // SAFETY: the two types differ in how they declare the pointer to a va_list alone.
    let callback = unsafe {
        std::mem::transmute::<Callback, libbpf_sys::libbpf_print_fn_t>(print as Callback)
    };
    // SAFETY: the callback lives as long as the program, and takes what libbpf gives it.
    unsafe { libbpf_sys::libbpf_set_print(callback) };
}

unsafe extern "C" fn print(
    level: libbpf_print_level,
    format: *const c_char,
    arguments: *mut c_void,
) -> c_int {
    if level > libbpf_sys::LIBBPF_INFO {
        return 0;
    }
    let mut text = std::ptr::null_mut();
    // SAFETY: libbpf passes a format and the arguments that go with it.
    let length = unsafe { vasprintf(&mut text, format, arguments) };
    if length < 0 || text.is_null() {
        return 0;
    }
    // SAFETY: vasprintf made a string that ends with NUL, and nobody else has it.
    let message = unsafe { CStr::from_ptr(text) };
    // Whatever is wrong with a message must not end the process.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| super::print(message.to_bytes()))) {
        // Dropping it could panic again.
        std::mem::forget(payload);
    }
    // SAFETY: vasprintf allocated it with malloc(3), and it is not used after.
    unsafe { libc::free(text.cast()) };
    0
}
