//! The callback through which libbpf prints. C code calls it, so it must never unwind. Messages
//! may contain any bytes, because they quote names from the object.
#![allow(unsafe_code)]

use libbpf_sys::libbpf_print_level;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `libbpf_print_fn_t`. bindgen declares its `va_list` differently on each architecture, but as
/// an argument it is a pointer on all those that iterfs supports.
type Callback = unsafe extern "C" fn(libbpf_print_level, *const c_char, *mut c_void) -> c_int;

unsafe extern "C" {
    /// vasprintf(3).
    fn vasprintf(text: *mut *mut c_char, format: *const c_char, arguments: *mut c_void) -> c_int;
}

/// Makes libbpf print through [`super::print`] instead of to standard error.
pub(super) fn install() {
    // SAFETY: the two types differ only in how they declare the pointer to a va_list.
    let callback = unsafe {
        std::mem::transmute::<Callback, libbpf_sys::libbpf_print_fn_t>(print as Callback)
    };
    // SAFETY: the callback is never freed and takes the arguments that libbpf passes.
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
    // SAFETY: libbpf passes a format with the arguments that it needs.
    let length = unsafe { vasprintf(&mut text, format, arguments) };
    if length < 0 || text.is_null() {
        return 0;
    }
    // SAFETY: vasprintf made a NUL-terminated string, and nothing else has it.
    let message = unsafe { CStr::from_ptr(text) };
    // A fault in handling a message must not end the process.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| super::print(message.to_bytes()))) {
        // Dropping the payload could panic again.
        std::mem::forget(payload);
    }
    // SAFETY: vasprintf allocated the string with malloc(3), and it is not used afterwards.
    unsafe { libc::free(text.cast()) };
    0
}
