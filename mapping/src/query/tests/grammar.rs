//! Properties of the grammar, over names that make sense and over any bytes.

use super::super::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

fn name() -> impl Strategy<Value = Box<str>> {
    // Names that are terms of their own are no columns.
    "[a-z_][a-z0-9_.\\[\\]]{0,12}"
        .prop_filter("a word of the grammar", |name| {
            !["top", "first", "every", "whole"].contains(&name.as_str())
        })
        .prop_map(|name| name.into_boxed_str())
}

/// Text without NUL, which no name can contain.
fn text(least: usize) -> impl Strategy<Value = Box<[u8]>> {
    let bytes = prop_oneof![1u8.., Just(b'.'), Just(b'*'), Just(b'%'), Just(b',')];
    vec(bytes, least..12).prop_map(Vec::into_boxed_slice)
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        Just(Written::Absent),
        text(1).prop_map(Written::Exactly),
        text(0).prop_map(Written::BeginsWith),
        (text(0), text(0)).prop_map(|(low, high)| Written::Between(low, high)),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    (name(), any::<bool>(), written()).prop_map(|(column, negated, value)| Condition {
        column,
        negated,
        value,
    })
}

fn columns() -> impl Strategy<Value = Columns> {
    let different = proptest::collection::btree_set(name(), 0..6);
    (different, 0usize..6).prop_map(|(names, only)| {
        let mut names = names.into_iter();
        Columns {
            only: names.by_ref().take(only).collect(),
            also: names.collect(),
        }
    })
}

fn largest() -> impl Strategy<Value = Largest> {
    (1..=Largest::MOST, name(), any::<bool>()).prop_map(|(count, column, smallest)| Largest {
        count,
        column,
        smallest,
    })
}

fn query() -> impl Strategy<Value = Query> {
    let interval = (10_000_000..86_400_000_000_000u64).prop_map(Duration::from_nanos);
    (
        columns(),
        vec(condition(), 0..6),
        option::of(largest()),
        option::of(1u64..),
        option::of(interval),
        any::<bool>(),
    )
        .prop_map(|(columns, conditions, top, first, every, whole)| Query {
            columns,
            conditions,
            first: first.filter(|_| top.is_none()),
            whole: whole && every.is_none(),
            top,
            every,
        })
        .prop_filter("a name has at least one term", |query| {
            *query != Query::default()
        })
}

proptest! {
    #[test]
    fn a_query_is_read_as_it_was_written(query in query()) {
        let written = query.to_string();
        prop_assert_eq!(Query::parse(written.as_bytes()), Ok(query), "{}", written);
    }

    #[test]
    fn a_written_query_keeps_its_format(query in query()) {
        let name = format!("tasks@{query}");
        prop_assert_eq!(crate::Format::split(&name), (&*name, crate::Format::Text));
        let name = format!("tasks@{query}.csv");
        prop_assert_eq!(crate::Format::split(&name).1, crate::Format::Csv);
    }

    #[test]
    fn any_bytes_are_a_query_or_a_fault_of_one_term(bytes in vec(any::<u8>(), 0..80)) {
        check_any(&bytes)?;
    }

    #[test]
    fn any_likely_bytes_are_a_query_or_a_fault_of_one_term(
        text in "((a|pid|top|first|every|whole|\\+|-|=|!=|\\.\\.|\\*|,|%|%2|%2C|:|[0-9]|K|ms|0x|\\[|é){0,20})"
    ) {
        check_any(text.as_bytes())?;
    }
}

fn check_any(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Query::parse(bytes) {
        Ok(query) => {
            let again = Query::parse(query.to_string().as_bytes());
            prop_assert_eq!(again, Ok(query));
        }
        Err(fault) => {
            let terms = bytes.split(|byte| *byte == b',');
            let mut terms = terms.map(String::from_utf8_lossy);
            prop_assert!(terms.any(|term| *term == *fault.term), "{fault}");
        }
    }
    Ok(())
}
