//! The schemas of the built-in objects, each of which is read once.

use crate::load::{btf, objects};
use iterfs_mapping::error::Result;
use iterfs_mapping::row::Schema;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Reading a schema takes milliseconds, and every lookup of a name that asks needs one.
static SCHEMAS: LazyLock<Mutex<HashMap<&'static str, Arc<Schema>>>> = LazyLock::new(Mutex::default);

/// The schema of a built-in object; none if there is no such object, or its programs print
/// text.
///
/// # Errors
/// As for [`btf::schema_of`].
pub(crate) fn of(object: &'static str) -> Result<Option<Arc<Schema>>> {
    if let Some(schema) = SCHEMAS.lock().get(object) {
        return Ok(Some(Arc::clone(schema)));
    }
    let Some(elf) = objects::find(object) else {
        return Ok(None);
    };
    let Some(schema) = btf::schema_of(object, elf)? else {
        return Ok(None);
    };
    let schema = Arc::new(schema);
    SCHEMAS.lock().insert(object, Arc::clone(&schema));
    Ok(Some(schema))
}
