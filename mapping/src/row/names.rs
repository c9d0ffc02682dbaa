//! The names of an enumeration's values.

use super::value::Value;
use super::width::Width;
use serde::{Deserialize, Serialize};

/// The names of an enumeration's values, sorted by value.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
pub struct Names {
    list: Vec<(u64, Box<str>)>,
    /// Whether a value without a name is shown as a signed number.
    signed: bool,
}

impl Names {
    /// The names in `names`, sorted by value. If two names have the same value, the first one
    /// counts.
    pub fn new(mut names: Vec<(u64, Box<str>)>) -> Names {
        names.sort_by_key(|(value, _)| *value);
        names.dedup_by_key(|(value, _)| *value);
        Names {
            list: names,
            signed: false,
        }
    }

    /// The same names, for an enumeration of signed numbers.
    pub fn signed(self) -> Names {
        Names {
            signed: true,
            ..self
        }
    }

    /// Whether the enumeration has signed numbers.
    #[inline]
    pub(crate) fn is_signed(&self) -> bool {
        self.signed
    }

    #[inline]
    pub(super) fn value(&self, width: Width, value: u64) -> Value<'_> {
        match self.get(value) {
            Some(name) => Value::Name(name),
            None if self.signed => Value::Nameless(width.extend(value).into()),
            None => Value::Nameless(value.into()),
        }
    }

    /// The name of a value.
    pub fn get(&self, value: u64) -> Option<&str> {
        // Most enumerations count up from 0, so the value is usually the index.
        if let Some((at, name)) = self.list.get(value as usize)
            && *at == value
        {
            return Some(name);
        }
        let at = self
            .list
            .binary_search_by_key(&value, |(value, _)| *value)
            .ok()?;
        Some(&self.list[at].1)
    }

    pub(super) fn join(&self) -> String {
        let names: Vec<_> = self.iter().map(|(_, name)| name).collect();
        names.join(", ")
    }

    /// The values and names, in order of value.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &str)> {
        self.list.iter().map(|(value, name)| (*value, &**name))
    }
}
