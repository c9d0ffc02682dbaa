//! Makes the schema of a program's rows from its BTF.
//!
//! `programs/iterfs/row.h` and `programs/lib/row.h` define the vocabulary: which struct is the
//! row, the meaning of each member, and how it is shown.

use crate::load::loader::refused_object;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::{Column, Kind, Names, Role, Schema, Unit, Width};
use libbpf_rs::btf::types::{Array, DeclTag, Enum, Int, IntEncoding, MemberAttr, Struct, Typedef};
use libbpf_rs::btf::{Btf, BtfType, HasSize, ReferencesType, TypeId};
use std::collections::HashMap;
use std::ffi::OsStr;

/// The schema of the row that an object's programs write; none if no struct is marked as the
/// row, which means that the programs print text.
///
/// # Errors
/// [`Error::BadObject`] if a member of the row has a type that cannot be shown.
pub fn schema_of(object: &str, elf: &[u8]) -> Result<Option<Schema>> {
    let bad = |what: String| Error::BadObject {
        object: object.into(),
        what,
    };
    let btf = Btf::from_raw(object, elf)
        .map_err(|error| refused_object(object, &error))?
        .ok_or_else(|| bad("it has no BTF; compile it with -g".into()))?;
    let Some(schema) = read(&btf).map_err(bad)? else {
        return Ok(None);
    };
    schema.check().map_err(bad)?;
    Ok(Some(schema))
}

/// Declaration tags, by the struct or the member that they mark.
type Tags<'a> = HashMap<(TypeId, Option<u32>), Vec<&'a str>>;

fn read(btf: &Btf<'_>) -> Result<Option<Schema>, String> {
    let tags = tags(btf);
    let mut rows = tags
        .iter()
        .filter(|((_, member), _)| member.is_none())
        .filter_map(|((id, _), tags)| Some((*id, tag(tags, "row:")?)));
    let Some((row, meaning)) = rows.next() else {
        return Ok(None);
    };
    // BTF does not say which program writes which row.
    if rows.next().is_some() {
        return Err("several structs are marked as the row; mark only one per object".into());
    }
    let row = btf
        .type_by_id::<Struct<'_>>(row)
        .ok_or("the row mark is not on a struct")?;

    let mut schema = Schema {
        row: meaning.to_owned(),
        fixed_size: row.size(),
        tail_length: None,
        columns: Vec::new(),
    };
    members(btf, &tags, &row, 0, &mut schema)?;
    let has_tail = schema
        .columns
        .iter()
        .any(|column| column.kind == Kind::Tail);
    match (has_tail, schema.tail_length) {
        (true, None) => Err("the trailing string has no tail_length_t".into()),
        (false, Some(_)) => Err("there is a tail_length_t but no trailing string".into()),
        _ => Ok(Some(schema)),
    }
}

/// Adds the members of a struct at offset `base` to the columns.
fn members(
    btf: &Btf<'_>,
    tags: &Tags<'_>,
    row: &Struct<'_>,
    base: usize,
    schema: &mut Schema,
) -> Result<(), String> {
    for (index, member) in row.iter().enumerate() {
        let name = text(member.name).ok_or("a member of the row has no name")?;
        let member_type = btf
            .type_by_id::<BtfType<'_>>(member.ty)
            .ok_or("a member's type is missing")?;
        let offset = match member.attr {
            MemberAttr::Normal { offset } => base + offset as usize / 8,
            _ => return Err(format!("{name} is a bit field")),
        };
        let none = Vec::new();
        let member_tags = tags
            .get(&(row.type_id(), Some(index as u32)))
            .unwrap_or(&none);
        if typedef_name(member_type) == Some("tail_length_t") {
            refuse_absent(name, member_tags)?;
            schema.tail_length = Some(offset);
            continue;
        }
        if let Ok(part) = Struct::try_from(member_type) {
            refuse_absent(name, member_tags)?;
            members(btf, tags, &part, offset, schema)?;
            continue;
        }

        let kind = kind(member_type, member_tags.contains(&"flags"))
            .ok_or_else(|| format!("{name} has a type that cannot be shown"))?;
        if kind == Kind::Tail {
            // A record ends with its string, not at the size of the struct, which may be
            // rounded up for alignment.
            schema.fixed_size = offset;
        }
        schema.columns.push(Column {
            name: name.to_owned(),
            path: Vec::new(),
            doc: tag(member_tags, "doc:").unwrap_or_default().to_owned(),
            offset,
            absent: absent(name, member_tags, &kind)?,
            on_request: member_tags.contains(&"on_request"),
            role: role(member_tags),
            kind,
        });
    }
    Ok(())
}

fn tags<'a>(btf: &'a Btf<'_>) -> Tags<'a> {
    let mut tags = Tags::new();
    for declared in btf.type_by_kind::<DeclTag<'_>>() {
        let Some(text) = declared.name().and_then(OsStr::to_str) else {
            continue;
        };
        tags.entry((
            declared.referenced_type().type_id(),
            declared.component_index(),
        ))
        .or_default()
        .push(text);
    }
    tags
}

fn tag<'a>(tags: &[&'a str], prefix: &str) -> Option<&'a str> {
    tags.iter().find_map(|text| text.strip_prefix(prefix))
}

fn role(tags: &[&str]) -> Role {
    match (tags.contains(&"key"), tags.contains(&"counter")) {
        (true, _) => Role::Key,
        (false, true) => Role::Counter,
        (false, false) => Role::Value,
    }
}

/// The bits of the value in a member's `ABSENT`; none if the member has no such tag.
fn absent(name: &str, tags: &[&str], kind: &Kind) -> Result<Option<u64>, String> {
    let Some(value) = tag(tags, "absent:") else {
        return Ok(None);
    };
    let width = match kind {
        Kind::Unsigned(width, _)
        | Kind::Signed(width)
        | Kind::Hex(width)
        | Kind::Name(width, _)
        | Kind::Flags(width, _) => *width,
        Kind::Bool => Width::One,
        Kind::Device => Width::Four,
        // These kinds repeat an absent value of eight bytes.
        Kind::Bytes(_) | Kind::Ipv6 => Width::Eight,
        Kind::Float(_)
        | Kind::Bits(..)
        | Kind::Pointer { .. }
        | Kind::Text(_)
        | Kind::Tail
        | Kind::Inet
        | Kind::MapKey
        | Kind::MapValue => {
            refuse_absent(name, tags)?;
            return Ok(None);
        }
    };
    let number: i64 = value
        .parse()
        .map_err(|_| format!("ABSENT({value}) of {name} is not a decimal number"))?;
    let bits = width.truncate(number);
    let fits = i64::try_from(bits) == Ok(number) || width.extend(bits) == number;
    if !fits {
        let size = 8 * width.bytes();
        return Err(format!(
            "ABSENT({value}) of {name} does not fit into {size} bits"
        ));
    }
    Ok(Some(bits))
}

/// Refuses `ABSENT` on a member for which no value can mean absent.
fn refuse_absent(name: &str, tags: &[&str]) -> Result<(), String> {
    match tag(tags, "absent:") {
        Some(value) => Err(format!(
            "{name} cannot have ABSENT({value}), which is for integers, enums, bool, \
             device_t, ipv6_t and hash_t; remove it (an empty string and an inet_t of \
             family 0 are absent without it)"
        )),
        None => Ok(()),
    }
}

fn text(name: Option<&OsStr>) -> Option<&str> {
    name.and_then(OsStr::to_str)
}

fn typedef_name<'a>(member: BtfType<'a>) -> Option<&'a str> {
    let typedef = Typedef::try_from(member).ok()?;
    text(typedef.name())
}

fn kind(member: BtfType<'_>, flags: bool) -> Option<Kind> {
    let plain = member.skip_mods_and_typedefs();
    if let Some(kind) = typedef_name(member).and_then(|name| named_kind(name, plain)) {
        return Some(kind);
    }
    if let Ok(int) = Int::try_from(plain) {
        let width = Width::of(usize::from(int.bits) / 8)?;
        return Some(match int.encoding {
            IntEncoding::Bool => Kind::Bool,
            IntEncoding::Signed => Kind::Signed(width),
            _ => Kind::Unsigned(width, Unit::None),
        });
    }
    if let Ok(list) = Enum::try_from(plain) {
        let width = Width::of(list.size())?;
        let names = names(&list);
        return Some(if flags {
            Kind::Flags(width, names)
        } else {
            Kind::Name(width, names)
        });
    }
    let array = Array::try_from(plain).ok()?;
    let element = Int::try_from(array.contained_type().skip_mods_and_typedefs()).ok()?;
    let text = element.bits == 8 && text(element.name()) == Some("char");
    match (text, array.capacity()) {
        (true, 0) => Some(Kind::Tail),
        (true, capacity) => Some(Kind::Text(capacity)),
        (false, _) => None,
    }
}

/// The kind that a typedef of `row.h` selects.
fn named_kind(typedef: &str, plain: BtfType<'_>) -> Option<Kind> {
    let width = || Width::of(usize::from(Int::try_from(plain).ok()?.bits) / 8);
    let unsigned = |unit| Some(Kind::Unsigned(width()?, unit));
    match typedef {
        "bytes_t" => unsigned(Unit::Bytes),
        "pages_t" => unsigned(Unit::Pages(rustix::param::page_size().ilog2())),
        "nanoseconds_t" => unsigned(Unit::Nanoseconds),
        "hex_t" | "mask_t" | "address_t" => Some(Kind::Hex(width()?)),
        "hash_t" => Some(Kind::Bytes(Array::try_from(plain).ok()?.capacity())),
        "device_t" => Some(Kind::Device),
        "ipv6_t" => Some(Kind::Ipv6),
        "inet_t" => Some(Kind::Inet),
        "map_key_t" => Some(Kind::MapKey),
        "map_value_t" => Some(Kind::MapValue),
        _ => None,
    }
}

/// The names of an enumeration. For `task_state__idle`, the name is the part after `__`.
fn names(list: &Enum<'_>) -> Names {
    let names = list.iter().filter_map(|variant| {
        let name = text(variant.name)?;
        let shown = name.split_once("__").map_or(name, |(_, shown)| shown);
        // This suffices for either sign: an enumeration here has at most 32 bits.
        let value = variant.value as u32;
        Some((u64::from(value), shown.into()))
    });
    Names::new(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::objects;

    #[test]
    fn every_object_has_a_documented_schema() {
        for name in objects::names() {
            let schema = schema_of(name, objects::find(name).unwrap());
            let schema = schema.unwrap().unwrap();
            assert!(!schema.row.is_empty(), "{name}");
            for column in &schema.columns {
                assert!(!column.doc.is_empty(), "{name}: {} has no DOC", column.name);
            }
        }
    }

    #[test]
    fn a_table_that_counts_has_a_key() {
        for name in objects::names() {
            let schema = schema_of(name, objects::find(name).unwrap());
            let columns = schema.unwrap().unwrap().columns;
            let counters = columns.iter().filter(|column| column.role == Role::Counter);
            for counter in counters {
                let is_number = matches!(counter.kind, Kind::Unsigned(..));
                assert!(is_number, "{name}: {} cannot count", counter.name);
            }
            let has_key = columns.iter().any(|column| column.role == Role::Key);
            assert!(has_key, "{name}: no column identifies a row");
        }
    }

    #[test]
    fn the_vocabulary_of_row_h_is_understood() {
        let schema = schema_of("files", objects::find("files").unwrap());
        let schema = schema.unwrap().unwrap();
        let kind = |name: &str| {
            let column = schema.columns.iter().find(|column| column.name == name);
            column.map(|column| column.kind.clone())
        };
        assert_eq!(kind("pid"), Some(Kind::Unsigned(Width::Four, Unit::None)));
        assert_eq!(
            kind("size"),
            Some(Kind::Unsigned(Width::Eight, Unit::Bytes))
        );
        let role = |name: &str| {
            let column = schema.columns.iter().find(|column| column.name == name);
            column.map(|column| column.role)
        };
        assert_eq!(role("fd"), Some(Role::Key));
        assert_eq!(role("size"), Some(Role::Value));
        assert_eq!(kind("dev"), Some(Kind::Device));
        assert_eq!(kind("comm"), Some(Kind::Text(16)));
        assert_eq!(kind("path"), Some(Kind::Tail));
        assert_eq!(kind("path_length"), None);
        let Some(Kind::Name(Width::Four, types)) = kind("type") else {
            panic!("type is an enumeration")
        };
        assert_eq!(types.get(1), Some("REG"));
        let Some(Kind::Flags(Width::Four, flags)) = kind("flags") else {
            panic!("flags is a set")
        };
        assert_eq!(flags.get(0o2000), Some("APPEND"));
        assert_eq!(schema.tail_length, Some(schema.fixed_size - 2));
    }

    #[test]
    fn an_object_without_btf_is_refused() {
        assert!(matches!(
            schema_of("junk", b"junk"),
            Err(Error::BadObject { .. })
        ));
    }
}
