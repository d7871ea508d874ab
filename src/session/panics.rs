//! What becomes of a panic at a book.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::domain::{Error, Result};

/// A panic becomes an error like any other: whoever waits is answered.
pub(super) fn unpanicked<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::internal(said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a word"))
}
