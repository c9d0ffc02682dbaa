//! The compiled programs, embedded in the binary: one object per `.bpf.c`.

/// The name and the ELF bytes of each object, sorted by name.
static OBJECTS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/objects.rs"));

/// The object compiled from `programs/<name>.bpf.c`.
pub fn find(name: &str) -> Option<&'static [u8]> {
    OBJECTS
        .iter()
        .find(|(object, _)| *object == name)
        .map(|(_, bytes)| *bytes)
}

/// The names of all objects.
pub fn names() -> impl Iterator<Item = &'static str> {
    OBJECTS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use iterfs_mapping::TABLES;

    #[test]
    fn every_table_has_its_program() {
        for table in TABLES {
            assert!(super::find(table.object).is_some(), "{}", table.object);
        }
    }

    #[test]
    fn every_program_has_its_table() {
        for name in super::names() {
            assert!(TABLES.iter().any(|table| table.object == name), "{name}");
        }
    }
}
